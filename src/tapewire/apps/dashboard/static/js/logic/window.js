// Which rows of a long list are on the screen.

/** First and last (exclusive) row to show, with some before and after it. */
export function visible(scrollTop, height, rowHeight, count, extra = 4) {
  const first = Math.max(0, Math.min(count, Math.floor(scrollTop / rowHeight)) - extra);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + extra);
  return [first, Math.max(first, last)];
}

/** Where to scroll so that a row is wholly seen; the same place if it is. */
export function scrollFor(row, scrollTop, height, rowHeight) {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}

/** The row that a key leads to, null for another key. */
export function moved(key, row, count, page) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
  if (count === 0) return null;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return null;
  return Math.max(0, Math.min(count - 1, row + steps[key]));
}
