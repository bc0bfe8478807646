// What is drawn of a picture from afar: one path for all boxes of a region, and names at a constant size.

import type { View } from "./camera";
import { boxClass } from "./differences";
import type { Doc } from "./doc";
import { s } from "./dom";
import { pathData } from "./geometry";
import { isRegion, regionOf } from "./lift";
import { fitText, textWidth } from "./measure";
import { type Cell, overlaps, type Picture, type Rect } from "./picture";
import type { Drawing } from "./shapes";

/** Draw the boxes of a region as silhouettes, by status. */
export function drawSketch(drawing: Drawing, cell: Cell, wires: boolean): SVGGElement {
  const { doc } = drawing;
  const paths = new Map<string, string>();
  for (const { entity, x, y, width, height } of cell.shapes) {
    const kind = isRegion(entity) ? `gl-closed ${lone(drawing, regionOf(entity))}` : `gl-box ${boxClass(doc, entity)}`;
    paths.set(kind, `${paths.get(kind) ?? ""}M${x | 0} ${y | 0}h${width | 0}v${height | 0}h${-(width | 0)}z`);
  }
  const group = s("g", { class: "gl-sketch", "aria-hidden": "true" });
  if (wires)
    group.append(s("path", { class: "gl-sketch-wires", d: cell.wires.map((wire) => pathData(wire.points)).join("") }));
  for (const [kind, d] of paths) group.append(s("path", { class: `gl-sketch-boxes ${kind}`, d }));
  return group;
}

/** The class of a region that one side has as a whole; other regions look like any. */
function lone({ counts }: Drawing, region: number): string {
  const { mark } = counts[region];
  return mark === "changed" ? "" : `gl-s-${mark}`;
}

const SIZE = 12;
const MOST = 60;

/** Name what is large enough on the screen, outer regions first, without overlap. */
export function drawMapLabels(doc: Doc, picture: Picture, view: View, width: number, height: number): SVGElement[] {
  const taken: Rect[] = [];
  const labels: SVGElement[] = [];
  const sight = { x: 0, y: 0, width, height };
  for (const { frame } of picture.cells) {
    if (!frame || labels.length >= MOST) continue;
    const screen = {
      x: view.x + frame.x * view.k,
      y: view.y + frame.y * view.k,
      width: frame.width * view.k,
      height: frame.height * view.k,
    };
    if (screen.height < 20 || screen.width < 36 || !overlaps(screen, sight)) continue;
    const text = fitText(doc.scene.regions[frame.region].label, SIZE, screen.width - 8, true);
    const rect = {
      x: screen.x + 4,
      y: Math.max(0, screen.y) + 2,
      width: textWidth(text, SIZE, true),
      height: SIZE + 4,
    };
    if (rect.y + rect.height > screen.y + screen.height || taken.some((other) => overlaps(rect, other))) continue;
    taken.push(rect);
    const [x, y] = [(rect.x - view.x) / view.k, (rect.y + SIZE - view.y) / view.k];
    labels.push(s("text", { class: "gl-map-label", x, y, "font-size": SIZE / view.k }, text));
  }
  return labels;
}
