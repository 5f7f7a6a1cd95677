// A long list of which only the rows on the screen exist.

import { el, length, setAttribute } from "./dom.js";
import { moved, scrollFor, visible } from "./logic/window.js";

let lists = 0;

export class List {
  /**
   * columns: [{ key, text, button? }]; make: () => { element, … }, one row; fill: (row, item, chosen) => void.
   * open: (item) => void, and press: (key, item) => bool, make the rows choosable with the keyboard.
   */
  constructor({ label, name, columns, make, fill, open = null, press = () => false, describedBy = null }) {
    lists += 1;
    Object.assign(this, { id: `list-${lists}`, make, fill, open, press, items: [], pool: [], chosen: -1, stale: true });
    this.head = el("div", { role: "row", class: `row head ${name}-row` }, ...columns);
    this.space = el("div", { class: "list-space", role: "rowgroup" });
    this.body = el("div", { class: "list-body", tabindex: open ? "-1" : "0", role: "presentation" }, this.space);
    const role = open ? { role: "grid", tabindex: "0" } : { role: "table" };
    this.element = el("div", { class: `list ${name}-list`, "aria-label": label, ...role }, this.head, this.body);
    if (describedBy) this.element.setAttribute("aria-describedby", describedBy);
    this.body.addEventListener("scroll", () => this.paint(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.pressed(event));
    this.watcher = new ResizeObserver(() => this.measure());
    this.watcher.observe(this.body);
    this.rowClass = `row ${name}-row`;
  }

  measure() {
    this.rowHeight = length(this.element, "--row-height") || 40;
    this.height = this.body.clientHeight;
    this.stale = true;
    this.paint();
  }

  /** What is listed now. The chosen one stays chosen, wherever it went. */
  show(items) {
    const kept = this.items[this.chosen];
    this.items = items;
    this.chosen = kept === undefined ? -1 : items.indexOf(kept);
    this.stale = true;
  }

  paint() {
    if (!this.height) return;
    if (this.stale) this.resize();
    const [first, last] = visible(this.body.scrollTop, this.height, this.rowHeight, this.items.length);
    while (this.pool.length < last - first) this.grow();
    const { length: most } = this.pool;
    for (let index = first; index < first + most; index += 1) this.place(this.pool[index % most], index, last);
  }

  resize() {
    this.stale = false;
    this.space.style.height = `${this.items.length * this.rowHeight}px`;
    this.element.style.maxHeight = `${this.items.length * this.rowHeight + this.head.offsetHeight + 4}px`;
    setAttribute(this.element, "aria-rowcount", this.items.length + 1);
  }

  grow() {
    const row = this.make();
    row.element.className = this.rowClass;
    row.element.setAttribute("role", "row");
    row.index = -1;
    if (this.open) row.element.addEventListener("pointerdown", () => this.choose(row.index, false));
    this.pool.push(row);
    this.space.append(row.element);
  }

  place(row, index, last) {
    const shown = index < last;
    if (row.element.hidden === shown) row.element.hidden = !shown;
    if (!shown) return;
    if (row.index !== index || row.top !== index * this.rowHeight) {
      row.index = index;
      row.top = index * this.rowHeight;
      row.element.style.transform = `translateY(${row.top}px)`;
      row.element.id = `${this.id}-${index}`;
      row.element.setAttribute("aria-rowindex", index + 2);
    }
    const chosen = index === this.chosen;
    if (row.isChosen !== chosen) {
      row.isChosen = chosen;
      if (this.open) row.element.setAttribute("aria-selected", chosen);
    }
    this.fill(row, this.items[index]);
  }

  pressed(event) {
    if (!this.open || event.altKey || event.ctrlKey || event.metaKey || event.target !== this.element) return;
    const index = moved(event.key, this.chosen, this.items.length, Math.floor(this.height / this.rowHeight));
    const item = this.items[this.chosen];
    if (index !== null) this.choose(index, true);
    else if (event.key === "Enter" && item) this.open(item);
    else if (!item || !this.press(event.key, item)) return;
    event.preventDefault();
  }

  choose(index, scroll) {
    this.chosen = index;
    if (scroll) this.body.scrollTop = scrollFor(index, this.body.scrollTop, this.height, this.rowHeight);
    this.paint();
    this.element.setAttribute("aria-activedescendant", `${this.id}-${index}`);
  }

  leave() {
    this.watcher.disconnect();
  }
}
