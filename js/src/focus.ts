// What the reader looks at: the selected box or region, what flows into and out of it, and what a search found.

import { type Entity, isRegion, type Link, regionEntity } from "./lift";
import { around, type Scene, shownBox } from "./scene";

export interface Focus {
  readonly scene: Scene;
  readonly selected: Entity | null;
  /** Drawn boxes that a search found, and the regions around them. */
  readonly hits: ReadonlySet<Entity>;
}

/** Say what is looked at. `found` are boxes. */
export function focusOn(scene: Scene, selected: Entity | null, found: Iterable<number>): Focus {
  const hits = new Set<Entity>();
  for (const box of found) {
    const drawn = shownBox(scene, box);
    hits.add(drawn);
    for (const region of around(scene, drawn)) hits.add(regionEntity(region));
  }
  return { scene, selected, hits };
}

/** The entity whose drawing stands for another: a folded box's user, a call's region. */
export function drawnAs(scene: Scene, entity: Entity): Entity {
  if (isRegion(entity)) return entity;
  const box = scene.boxes[shownBox(scene, entity)];
  return box.call >= 0 ? regionEntity(box.call) : box.id;
}

/** Set the classes of the element of a box or region. */
export function markEntity(focus: Focus, element: Element, entity: Entity): void {
  const { selected, scene, hits } = focus;
  element.classList.toggle("gl-selected", selected !== null && drawnAs(scene, selected) === entity);
  element.classList.toggle("gl-hit", hits.has(entity));
}

/** Set the classes of the element of a link. */
export function markLink(focus: Focus, element: Element, link: Link): void {
  const way = wayOf(focus, link);
  element.classList.toggle("gl-in", way === "in");
  element.classList.toggle("gl-out", way === "out");
}

function wayOf({ scene, selected }: Focus, link: Link): "in" | "out" | null {
  if (selected === null) return null;
  const drawn = drawnAs(scene, selected);
  if (link.head.at === drawn) return "in";
  if (link.tail.at === drawn) return "out";
  const box = isRegion(selected) ? scene.regions[-1 - selected].owner : shownBox(scene, selected);
  if (box < 0 || (isRegion(selected) && scene.regions[-1 - selected].kind !== "call")) return null;
  if (link.values.has(box)) return "out";
  return link.uses.some((use) => scene.flow.dst[use] === box) ? "in" : null;
}
