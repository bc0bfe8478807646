// Which links are named at their head ("↑ cos") rather than drawn as lines.
//
// A value that many far members use, such as a mask that goes into each of 126 layers, would be a bundle of lines
// through the whole drawing, and Graphviz's work grows with the ranks that lines span.

import { BORDER, type Entity, isRegion, type Link, type RegionGraph, regionOf } from "./lift";
import type { Scene } from "./scene";

const FAR = 5;
const MANY = 4;
/** Ranks that all lines of a region may span together. */
const BUDGET = 3000;

/** A value that a member or port uses without a line. `at` is what makes it there: a member, or BORDER for a port. */
export interface Tag {
  readonly at: Entity;
  readonly values: ReadonlySet<number>;
}

export interface Thinned {
  readonly links: readonly Link[];
  /** Ranks that each line spans. */
  readonly spans: readonly number[];
  /** Tags by head: `entity.port`. */
  readonly tags: ReadonlyMap<string, readonly Tag[]>;
}

/** Decide for one region which links are lines and which are tags. */
export function thin(scene: Scene, graph: RegionGraph): Thinned {
  const links = [...graph.links.values()];
  const rank = ranks(scene, graph, links);
  const spans = links.map((link) => (link.head.at === BORDER ? 0 : rank(link.head.at) - rank(link.tail.at)));
  const named = new Set<Link>();
  for (const group of byMaker(links, spans)) {
    if (group.filter(([, span]) => span >= FAR).length < MANY) continue;
    for (const [link, span] of group) if (span > 1) named.add(link);
  }
  const left = links.map((link, i) => [link, spans[i]] as const).filter(([link]) => !named.has(link));
  let cost = left.reduce((sum, [, span]) => sum + Math.max(0, span), 0);
  for (const [link, span] of left.sort((a, b) => b[1] - a[1])) {
    if (cost <= BUDGET || span < FAR) break;
    named.add(link);
    cost -= span;
  }
  const tags = new Map<string, Tag[]>();
  for (const link of named) {
    const key = `${link.head.at}.${link.head.port}`;
    const list = tags.get(key) ?? [];
    list.push({ at: link.tail.at, values: link.values });
    tags.set(key, list);
  }
  const lines = links.flatMap((link, i) => (named.has(link) ? [] : [[link, spans[i]] as const]));
  return { links: lines.map(([link]) => link), spans: lines.map(([, span]) => span), tags };
}

function byMaker(links: readonly Link[], spans: readonly number[]): (readonly [Link, number])[][] {
  const groups = new Map<string, (readonly [Link, number])[]>();
  links.forEach((link, i) => {
    if (link.head.at === BORDER) return;
    const key = `${link.tail.at}.${link.tail.port}`;
    const group = groups.get(key) ?? [];
    group.push([link, spans[i]]);
    groups.set(key, group);
  });
  return [...groups.values()];
}

/** Longest-path ranks of the members; the border is rank 0. Links against the program's order are left out. */
function ranks(scene: Scene, graph: RegionGraph, links: readonly Link[]): (entity: Entity) => number {
  const order = (entity: Entity) => (isRegion(entity) ? scene.regions[regionOf(entity)].first : entity);
  const found = new Map<Entity, number>([[BORDER, 0], ...graph.members.map((member) => [member, 1] as const)]);
  const rank = (entity: Entity) => found.get(entity) ?? 0;
  const sorted = links
    .filter(({ tail, head }) => head.at !== BORDER && (tail.at === BORDER || order(tail.at) < order(head.at)))
    .sort((a, b) => order(a.head.at) - order(b.head.at));
  for (const { tail, head } of sorted) found.set(head.at, Math.max(rank(head.at), rank(tail.at) + 1));
  return rank;
}
