// The whole drawing in a corner, with the part that is in sight.

import type { View } from "./camera";
import { h } from "./dom";
import type { Picture } from "./picture";

const WIDTH = 116;
const HEIGHT = 150;

export class Minimap {
  readonly element = h("canvas", { class: "gl-minimap", "aria-hidden": "true" });
  private picture: Picture | null = null;
  private base: ImageData | null = null;
  private scale = 1;

  constructor(
    private readonly moveTo: (x: number, y: number) => void,
    signal: AbortSignal,
  ) {
    const onPointer = (event: PointerEvent) => {
      event.stopPropagation();
      if (event.type === "pointermove" && !event.buttons) return;
      if (event.type === "pointerdown") this.element.setPointerCapture(event.pointerId);
      const rect = this.element.getBoundingClientRect();
      this.moveTo((event.clientX - rect.left) / this.scale, (event.clientY - rect.top) / this.scale);
    };
    for (const type of ["pointerdown", "pointermove"] as const)
      this.element.addEventListener(type, onPointer, { signal });
    for (const type of ["click", "dblclick"])
      this.element.addEventListener(type, (e) => e.stopPropagation(), { signal });
  }

  /** Forget what was drawn, as after a change of theme. */
  reset(): void {
    this.picture = null;
  }

  /** Show the picture and what a view of a size shows of it. Hidden when that is all. */
  update(picture: Picture, view: View, width: number, height: number): void {
    const seenAll =
      view.x >= -1 &&
      view.y >= -1 &&
      view.x + picture.width * view.k <= width + 1 &&
      view.y + picture.height * view.k <= height + 1;
    this.element.hidden = seenAll || width < 420 || height < 260;
    if (this.element.hidden) return;
    const context = this.element.getContext("2d", { willReadFrequently: true });
    if (!context) return;
    if (picture !== this.picture) this.drawBase(context, picture);
    if (this.base) context.putImageData(this.base, 0, 0);
    const ratio = devicePixelRatio || 1;
    context.setTransform(this.scale * ratio, 0, 0, this.scale * ratio, 0, 0);
    context.strokeStyle = this.colour("--gl-accent");
    context.lineWidth = 1.6 / this.scale;
    const inset = 1 / this.scale;
    const left = Math.max(inset, -view.x / view.k);
    const top = Math.max(inset, -view.y / view.k);
    const right = Math.min(picture.width - inset, (width - view.x) / view.k);
    const bottom = Math.min(picture.height - inset, (height - view.y) / view.k);
    context.strokeRect(left, top, Math.max(2 * inset, right - left), Math.max(2 * inset, bottom - top));
  }

  private drawBase(context: CanvasRenderingContext2D, picture: Picture): void {
    const ratio = devicePixelRatio || 1;
    this.scale = Math.min(WIDTH / picture.width, HEIGHT / picture.height);
    const [width, height] = [Math.max(24, picture.width * this.scale), Math.max(24, picture.height * this.scale)];
    this.element.width = Math.ceil(width * ratio);
    this.element.height = Math.ceil(height * ratio);
    this.element.style.width = `${Math.ceil(width)}px`;
    this.element.style.height = `${Math.ceil(height)}px`;
    context.setTransform(this.scale * ratio, 0, 0, this.scale * ratio, 0, 0);
    const colours = [this.colour("--gl-region-even"), this.colour("--gl-header")];
    const box = this.colour("--gl-strong-border");
    for (const { frame, shapes } of picture.cells) {
      if (frame) {
        context.fillStyle = colours[frame.depth % 2];
        context.fillRect(frame.x, frame.y, frame.width, frame.height);
      }
      context.fillStyle = box;
      for (const shape of shapes) context.fillRect(shape.x, shape.y, shape.width, shape.height);
    }
    this.picture = picture;
    this.base = context.getImageData(0, 0, this.element.width, this.element.height);
  }

  private colour(name: string): string {
    return getComputedStyle(this.element).getPropertyValue(name).trim() || "#888";
  }
}
