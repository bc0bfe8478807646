// A laid out scene in one coordinate system: what there is to draw and where.

import { breather } from "./breathe";
import type { SceneLayout } from "./compose";
import type { Doc } from "./doc";
import { type Label, placeLabels } from "./edge_labels";
import { type Entity, isRegion, type Link, regionEntity, regionOf } from "./lift";
import { HEADER, type Placed, type RegionLayout } from "./region_layout";

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The frame of an open region. */
export interface Frame extends Rect {
  readonly region: number;
  readonly depth: number;
  /** Names of ports, in the frame's coordinates. */
  readonly portNames: RegionLayout["portNames"];
}

/** A box, or a closed region as a box. */
export type Shape = Placed;

export interface Wire extends Rect {
  readonly id: string;
  readonly link: Link;
  readonly points: readonly number[];
}

export interface Pill extends Rect {
  readonly id: string;
  readonly box: number;
  readonly text: string;
}

/** One open region with what is directly inside; `frame` is null for the root, which has none. */
export interface Cell extends Rect {
  readonly frame: Frame | null;
  readonly shapes: readonly Shape[];
  readonly wires: readonly Wire[];
  readonly pills: readonly Pill[];
  /** Per wire the value that it carries, said once per maker. Found out when it is first asked for. */
  readonly labels: () => readonly (Label | null)[];
}

export interface Picture extends Rect {
  /** Open regions, outer ones first. */
  readonly cells: readonly Cell[];
  /** Frame or shape of each entity that is drawn. */
  readonly places: ReadonlyMap<Entity, Rect>;
  readonly notes: readonly string[];
}

/** Put every region of a layout where it belongs. */
export async function pictureOf(doc: Doc, layout: SceneLayout): Promise<Picture> {
  const breathe = breather();
  const cells: Cell[] = [];
  const places = new Map<Entity, Rect>();
  const pending: [number, number, number][] = [[0, 0, 0]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    await breathe();
    const [id, x, y] = next;
    const region = layout.regions.get(id);
    if (!region) continue;
    const rect = { x, y, width: region.width, height: region.height };
    const frame =
      id > 0 ? { region: id, depth: doc.scene.regions[id].depth, portNames: region.portNames, ...rect } : null;
    if (frame) places.set(regionEntity(id), frame);
    const shapes: Shape[] = [];
    for (const member of region.members) {
      const at = { ...member, x: x + member.x, y: y + member.y };
      if (isRegion(at.entity) && layout.regions.has(regionOf(at.entity))) {
        pending.push([regionOf(at.entity), at.x, at.y]);
        continue;
      }
      shapes.push(at);
      places.set(at.entity, at);
    }
    const pills = region.portTags.map(({ box, text, x: middle, width }) => ({
      ...{ id: `${id}.${box}`, box, text, width, height: 18 },
      ...{ x: x + middle - width / 2, y: y + HEADER + 3 },
    }));
    cells.push({ ...rect, frame, shapes, pills, ...wiresOf(doc, region, x, y) });
  }
  const { width, height } = cells[0];
  return { x: 0, y: 0, width, height, cells, places, notes: layout.notes };
}

function wiresOf(doc: Doc, region: RegionLayout, x: number, y: number): Pick<Cell, "wires" | "labels"> {
  const wires = region.curves.map(({ link, points }): Wire => {
    const moved = points.map((value, k) => value + (k % 2 ? y : x));
    const id = `${region.region}:${link.tail.at}.${link.tail.port}>${link.head.at}.${link.head.port}`;
    return { id, link, points: moved, ...bounds(moved) };
  });
  let found: (Label | null)[] | undefined;
  const labels = () => {
    found ??= labelsOf(doc, region).map((label) => label && { ...label, x: label.x + x, y: label.y + y });
    return found;
  };
  return { wires, labels };
}

function labelsOf(doc: Doc, region: RegionLayout): (Label | null)[] {
  const tags = region.portTags.map((tag) => ({
    x: tag.x - tag.width / 2,
    y: HEADER + 3,
    width: tag.width,
    height: 18,
  }));
  const header = { x: 0, y: 0, width: region.width, height: region.region > 0 ? HEADER : 0 };
  return placeLabels(doc, region.curves, [...region.members, ...tags, header]);
}

function bounds(points: readonly number[]): Rect {
  let [x0, y0, x1, y1] = [points[0], points[1], points[0], points[1]];
  for (let i = 2; i < points.length; i += 2) {
    x0 = Math.min(x0, points[i]);
    x1 = Math.max(x1, points[i]);
    y0 = Math.min(y0, points[i + 1]);
    y1 = Math.max(y1, points[i + 1]);
  }
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

/** The innermost thing at a point of the picture. */
export function placeAt(picture: Picture, x: number, y: number): Entity | null {
  let best: [Entity, number] | null = null;
  for (const [entity, place] of picture.places) {
    const inside = x >= place.x && x <= place.x + place.width && y >= place.y && y <= place.y + place.height;
    const area = place.width * place.height;
    if (inside && (!best || area < best[1])) best = [entity, area];
  }
  return best?.[0] ?? null;
}

/** Whether two rectangles share a point. */
export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
