// Keeps in the document what of a picture is in sight, at the detail that its scale can show.

import { LEGIBLE, type View } from "./camera";
import { s } from "./dom";
import { type Focus, markEntity, markLink } from "./focus";
import { type Entity, type Link, regionEntity } from "./lift";
import type { Cell, Picture, Rect } from "./picture";
import { overlaps } from "./picture";
import { type Drawing, drawFrame, drawPill, drawShape, drawWire } from "./shapes";
import { drawMapLabels, drawSketch } from "./sketch";

/** Longest that one stretch of drawing may hold the page, in ms. */
const SLICE = 12;
const MOVE = 240;

type Layer = "frames" | "wires" | "shapes";

/** Something to draw; `of` is what it stands for, where that can be selected. */
interface Want {
  readonly layer: Layer;
  readonly rect: Rect;
  readonly draw: () => SVGElement;
  readonly of?: Entity | Link;
}

interface Drawn {
  readonly element: SVGElement;
  readonly want: Want;
}

export class Painter {
  readonly world = s("g", { class: "gl-world" });
  private readonly layers: Readonly<Record<Layer, SVGGElement>> = {
    frames: s("g", { class: "gl-frames" }),
    wires: s("g", { class: "gl-wires" }),
    shapes: s("g", { class: "gl-shapes" }),
  };
  private readonly labels = s("g", { class: "gl-map-labels", "aria-hidden": "true" });
  private drawn = new Map<string, Drawn>();
  private picture: Picture | null = null;
  private frame = 0;
  private pending: (() => void) | null = null;

  constructor(
    private readonly drawing: Drawing,
    private readonly onDone: () => void,
  ) {
    this.world.append(this.layers.frames, this.layers.wires, this.layers.shapes, this.labels);
  }

  /** Show another picture; what is in both glides from its old place on the screen. */
  setPicture(picture: Picture, before: View, after: View, still: boolean): void {
    const old = this.drawn;
    this.picture = picture;
    this.drawn = new Map();
    for (const layer of Object.values(this.layers)) layer.replaceChildren();
    this.pending = still
      ? null
      : () => {
          for (const [key, { element, want }] of this.drawn) {
            animate(element, want, old.get(key)?.want.rect, before, after);
          }
        };
  }

  /** Bring the document in line with what is in sight. */
  refresh(view: View, width: number, height: number, focus: Focus): void {
    const { picture } = this;
    if (!picture) return;
    this.world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    const wanted = this.wanted(picture, view, width, height);
    for (const [key, { element }] of this.drawn) {
      if (wanted.has(key)) continue;
      element.remove();
      this.drawn.delete(key);
    }
    this.labels.replaceChildren(
      ...(view.k < LEGIBLE ? drawMapLabels(this.drawing.doc, picture, view, width, height) : []),
    );
    cancelAnimationFrame(this.frame);
    this.addMissing(wanted, focus);
  }

  /** Mark again what is selected, found, or on the way. */
  mark(focus: Focus): void {
    for (const { element, want } of this.drawn.values()) mark(focus, element, want);
    for (const element of this.layers.wires.querySelectorAll(".gl-in, .gl-out")) this.layers.wires.append(element);
  }

  /** The element of an entity, if it is drawn. */
  elementOf(entity: Entity): SVGElement | undefined {
    return (this.drawn.get(`s${entity}`) ?? this.drawn.get(`f${entity}`))?.element;
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
  }

  private wanted(picture: Picture, view: View, width: number, height: number): Map<string, Want> {
    const margin = 0.4;
    const sight: Rect = {
      x: (-view.x - width * margin) / view.k,
      y: (-view.y - height * margin) / view.k,
      width: (width * (1 + 2 * margin)) / view.k,
      height: (height * (1 + 2 * margin)) / view.k,
    };
    const wanted: Map<string, Want> = new Map();
    for (const cell of picture.cells) {
      const tiny = cell.frame && Math.max(cell.width, cell.height) * view.k < 4;
      if (!tiny && overlaps(cell, sight)) this.wantCell(wanted, cell, sight, view.k);
    }
    return wanted;
  }

  private wantCell(wanted: Map<string, Want>, cell: Cell, sight: Rect, k: number): void {
    const { drawing } = this;
    const { frame } = cell;
    const id = frame ? regionEntity(frame.region) : 0;
    if (frame) wanted.set(`f${id}`, { layer: "frames", rect: frame, draw: () => drawFrame(drawing, frame), of: id });
    if (k < LEGIBLE) {
      const draw = () => drawSketch(drawing, cell, k > 0.09);
      if (Math.min(cell.width, cell.height) * k > 8) {
        wanted.set(`c${id}${k > 0.09 ? "w" : ""}`, { layer: "shapes", rect: cell, draw });
      }
      return;
    }
    for (const shape of cell.shapes) {
      if (!overlaps(shape, sight)) continue;
      wanted.set(`s${shape.entity}`, {
        layer: "shapes",
        rect: shape,
        draw: () => drawShape(drawing, shape),
        of: shape.entity,
      });
    }
    const labels = cell.labels();
    cell.wires.forEach((wire, i) => {
      const draw = () => drawWire(drawing, wire, labels[i]);
      if (overlaps(wire, sight)) wanted.set(`w${wire.id}`, { layer: "wires", rect: wire, draw, of: wire.link });
    });
    for (const pill of cell.pills) {
      if (overlaps(pill, sight)) wanted.set(`p${pill.id}`, { layer: "shapes", rect: pill, draw: () => drawPill(pill) });
    }
  }

  private addMissing(wanted: Map<string, Want>, focus: Focus): void {
    const missing = [...wanted].filter(([key]) => !this.drawn.has(key));
    let next = 0;
    const work = () => {
      const start = performance.now();
      while (next < missing.length && performance.now() - start < SLICE) {
        for (const end = Math.min(next + 16, missing.length); next < end; next++) {
          const [key, want] = missing[next];
          const element = want.draw();
          mark(focus, element, want);
          this.layers[want.layer].append(element);
          this.drawn.set(key, { element, want });
        }
      }
      if (next < missing.length) {
        this.frame = requestAnimationFrame(work);
        return;
      }
      this.pending?.();
      this.pending = null;
      this.onDone();
    };
    work();
  }
}

function mark(focus: Focus, element: SVGElement, { of }: Want): void {
  if (typeof of === "number") markEntity(focus, element, of);
  else if (of) markLink(focus, element, of);
}

function animate(element: SVGElement, { layer, rect }: Want, old: Rect | undefined, before: View, after: View): void {
  const timing = { duration: MOVE, easing: "cubic-bezier(.2,.7,.2,1)" };
  if (layer === "wires" || !old) {
    element.animate([{ opacity: 0 }, { opacity: 0, offset: 0.3 }, { opacity: 1 }], timing);
    return;
  }
  const dx = (before.x + before.k * old.x - after.x) / after.k - rect.x;
  const dy = (before.y + before.k * old.y - after.y) / after.k - rect.y;
  if (Math.abs(dx) + Math.abs(dy) < 0.5) return;
  const at = (x: number, y: number) => ({ transform: `translate(${x}px, ${y}px)` });
  element.animate([at(rect.x + dx, rect.y + dy), at(rect.x, rect.y)], timing);
}
