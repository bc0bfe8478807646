// Where the arrow keys lead from a drawn box or region.

import { drawnAs } from "./focus";
import { type Entity, isRegion, regionEntity, regionOf } from "./lift";
import type { Picture, Rect } from "./picture";
import { around, type Scene } from "./scene";

export type Way = "up" | "down" | "left" | "right";

/** What is drawn for a box: itself, or the outermost closed region around it. */
export function visible(scene: Scene, picture: Picture, box: number): Entity | null {
  const drawn = drawnAs(scene, box);
  if (picture.places.has(drawn)) return drawn;
  const shown = around(scene, isRegion(drawn) ? scene.regions[regionOf(drawn)].owner : drawn);
  return shown.map(regionEntity).find((entity) => picture.places.has(entity)) ?? null;
}

/** Where walking starts: what is drawn first. */
export function topmost(picture: Picture): Entity | null {
  let best: [Entity, Rect] | null = null;
  for (const [entity, place] of picture.places) {
    if (!best || place.y < best[1].y || (place.y === best[1].y && place.x < best[1].x)) best = [entity, place];
  }
  return best?.[0] ?? null;
}

/** Go along the flow (up: to an operand, down: to a user) or across to a neighbour. */
export function step(scene: Scene, picture: Picture, from: Entity, way: Way): Entity | null {
  const place = picture.places.get(from);
  if (!place) return null;
  if (way === "left" || way === "right") return across(picture, from, place, way);
  const near = nearest(picture, place, neighbours(scene, picture, from, way));
  if (way === "down") return firstInside(scene, picture, from) ?? near;
  return near ?? parentOf(scene, picture, from);
}

function neighbours(scene: Scene, picture: Picture, from: Entity, way: Way): Entity[] {
  const found = new Set<Entity>();
  const add = (box: number) => {
    const entity = visible(scene, picture, box);
    if (entity !== null && entity !== from) found.add(entity);
  };
  for (const cell of picture.cells) {
    for (const { link } of cell.wires) {
      const touches = way === "down" ? link.tail.at === from : link.head.at === from;
      if (!touches) continue;
      for (const use of link.uses) add(way === "down" ? scene.flow.dst[use] : scene.flow.src[use]);
      if (!link.uses.length && way === "up") for (const box of link.values) add(box);
    }
  }
  if (!isRegion(from)) {
    const uses = way === "down" ? scene.flow.outOf[from] : scene.flow.into[from];
    for (const use of uses) {
      const other = way === "down" ? scene.flow.dst[use] : scene.flow.src[use];
      if (!scene.boxes[other].folded) add(other);
    }
  }
  return [...found];
}

/** The topmost, leftmost box in an open region. */
function firstInside(scene: Scene, picture: Picture, from: Entity): Entity | null {
  if (!isRegion(from)) return null;
  const region = scene.regions[regionOf(from)];
  const inside = [...region.boxes, ...region.children.map(regionEntity)];
  const rank = (entity: Entity) => {
    const place = picture.places.get(entity);
    return place ? place.y * 1e6 + place.x : Number.POSITIVE_INFINITY;
  };
  const [first] = inside.filter((entity) => picture.places.has(entity)).sort((a, b) => rank(a) - rank(b));
  return first ?? null;
}

function parentOf(scene: Scene, picture: Picture, from: Entity): Entity | null {
  const parent = isRegion(from) ? scene.regions[regionOf(from)].parent : scene.boxes[from].region;
  return parent > 0 && picture.places.has(regionEntity(parent)) ? regionEntity(parent) : null;
}

function nearest(picture: Picture, place: Rect, found: readonly Entity[]): Entity | null {
  const distance = (entity: Entity) => {
    const other = picture.places.get(entity) as Rect;
    return Math.abs(middle(other)[0] - middle(place)[0]) + Math.abs(middle(other)[1] - middle(place)[1]);
  };
  return found.slice().sort((a, b) => distance(a) - distance(b))[0] ?? null;
}

function across(picture: Picture, from: Entity, place: Rect, way: Way): Entity | null {
  const cell = picture.cells.find(({ shapes }) => shapes.some((shape) => shape.entity === from));
  const sign = way === "right" ? 1 : -1;
  const candidates = cell ? cell.shapes.map((shape) => shape.entity) : [...picture.places.keys()];
  const aside = candidates.filter((entity) => {
    const other = picture.places.get(entity) as Rect;
    return entity !== from && sign * (middle(other)[0] - middle(place)[0]) > 4 && Math.abs(other.y - place.y) < 90;
  });
  return nearest(picture, place, aside);
}

const middle = (rect: Rect): [number, number] => [rect.x + rect.width / 2, rect.y + rect.height / 2];
