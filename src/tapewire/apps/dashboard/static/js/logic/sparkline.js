// The points of a sparkline within its box.

/** "x,y x,y …" of an SVG polyline; "" with fewer than two values. A flat line runs through the middle. */
export function sparkline(values, width, height) {
  if (values.length < 2) return "";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = width / (values.length - 1);
  const scale = high > low ? (height - 2) / (high - low) : 0;
  const y = (value) => (scale ? height - 1 - (value - low) * scale : height / 2);
  return values.map((value, place) => `${(place * step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}
