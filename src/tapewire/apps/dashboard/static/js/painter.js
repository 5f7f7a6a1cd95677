// Paints at most once a frame, however much happens; nothing while the tab is not seen.

export class Painter {
  /** paint: called in a frame after something happened; slow: called once a second, for what only ages. */
  constructor(paint, slow) {
    this.paint = paint;
    this.asked = false;
    setInterval(slow, 1000);
  }

  /** Something happened. */
  wake() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.paint();
    });
  }
}
