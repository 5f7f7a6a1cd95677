// Elements from code. Text is set as text: nothing that comes from outside is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, hear] of Object.entries(value)) element.addEventListener(event, hear);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An element: `el("p", { class: "dim", text: "…" })`; `on` holds listeners, `data` the data attributes. */
export const el = (tag, properties = {}, ...children) => fill(document.createElement(tag), properties, children);

/** The same of an SVG element. */
export const svg = (tag, properties = {}, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** Set a text only when it is another one: the browser does nothing for the rest. */
export function setText(element, text) {
  if (element.shownText === text) return;
  element.shownText = text;
  element.textContent = text;
}

/** Set an attribute only when it is another one; null takes it away. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Show or hide. */
export function setShown(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

/** A length that the style sheet says, in pixels. */
export const length = (element, name) => Number.parseFloat(getComputedStyle(element).getPropertyValue(name));

/** A colour that the style sheet says, as it is in the present theme. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Does the reader want little motion? */
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The way of a figure, for its colour: "up", "down", "none". */
export const wayOf = (value) => (value > 0 ? "up" : value < 0 ? "down" : "none");
