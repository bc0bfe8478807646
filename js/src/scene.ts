// A scene as the front end walks it: a tree of regions with their members, and the flow of values between boxes.

import type { Scene as SceneData } from "./payload";
import { foldCrowds, foldRuns } from "./repeats";

export type Role = SceneData["boxes"]["role"][number];

export interface Region {
  readonly id: number;
  readonly key: string;
  readonly kind: "graph" | "module" | "call" | "repeat" | "part";
  parent: number;
  depth: number;
  readonly label: string;
  readonly type: string;
  readonly path: string;
  /** Box that this region is (call) or that holds it (nested graph), -1 elsewhere. */
  readonly owner: number;
  readonly hash: string;
  readonly size: number;
  /** First box inside, which gives the order among siblings. */
  first: number;
  readonly children: number[];
  /** Boxes drawn directly inside, in order. */
  readonly boxes: number[];
}

export interface Box {
  readonly id: number;
  readonly key: string;
  readonly label: string;
  readonly sub: string;
  readonly role: Role;
  /** Innermost region around it; for a call, around its region. */
  region: number;
  /** The region that this box is when it is a call, else -1. */
  readonly call: number;
  /** Not drawn, but listed in the boxes that use it; a stored tensor without a user is in the tables only. */
  readonly folded: boolean;
  /** A module call around nothing but this box: it is named in the box and has no region of its own. */
  wrapper: number;
}

/** Uses of values: `src[i]` is used by `dst[i]`. Ties of nested placeholders follow the flow, from index `ties`. */
export interface Flow {
  readonly src: Int32Array;
  readonly dst: Int32Array;
  readonly slot: readonly string[];
  readonly ties: number;
  /** Indices of the uses that a box makes, and of those made of it. */
  readonly into: readonly number[][];
  readonly outOf: readonly number[][];
}

export interface Scene {
  readonly regions: readonly Region[];
  readonly boxes: readonly Box[];
  readonly flow: Flow;
  readonly regionByKey: ReadonlyMap<string, number>;
  readonly boxByKey: ReadonlyMap<string, number>;
}

const FOLDED = new Set<Role>(["parameter", "buffer", "constant", "subgraph"]);

/** Read a scene from the payload's columns. */
export function readScene(data: SceneData, strings: readonly string[]): Scene {
  const regions = readRegions(data, strings);
  const flow = readFlow(data, strings);
  const boxes = readBoxes(data, strings, regions);
  for (const box of boxes) {
    if (!box.folded && box.call < 0) regions[box.region].boxes.push(box.id);
  }
  dissolveWrappers(regions, boxes);
  foldRuns(regions);
  foldCrowds(regions, boxes);
  for (const region of regions) region.depth = depthOf(regions, region);
  setFirst(regions, boxes);
  return {
    regions,
    boxes,
    flow,
    regionByKey: new Map(regions.map((region) => [region.key, region.id])),
    boxByKey: new Map(boxes.map((box) => [box.key, box.id])),
  };
}

function readRegions(data: SceneData, strings: readonly string[]): Region[] {
  const { key, kind, parent, label, type, path, owner, hash, size } = data.regions;
  const regions: Region[] = key.map((text, id) => ({
    id,
    key: strings[text],
    kind: kind[id],
    parent: parent[id],
    depth: 0,
    label: strings[label[id]],
    type: strings[type[id]],
    path: strings[path[id]],
    owner: owner[id],
    hash: strings[hash[id]],
    size: size[id],
    first: Number.MAX_SAFE_INTEGER,
    children: [],
    boxes: [],
  }));
  for (const region of regions) {
    if (region.parent >= 0) regions[region.parent].children.push(region.id);
  }
  return regions;
}

function readFlow(data: SceneData, strings: readonly string[]): Flow {
  const { dst, back, slot } = data.edges;
  const { outer, inner } = data.ties;
  const flow = {
    src: Int32Array.from([...dst.map((d, i) => d - back[i]), ...outer]),
    dst: Int32Array.from([...dst, ...inner]),
    slot: slot.map((text) => strings[text]),
    ties: dst.length,
    into: data.boxes.key.map((): number[] => []),
    outOf: data.boxes.key.map((): number[] => []),
  };
  for (let i = 0; i < flow.src.length; i++) {
    flow.outOf[flow.src[i]].push(i);
    flow.into[flow.dst[i]].push(i);
  }
  return flow;
}

function readBoxes(data: SceneData, strings: readonly string[], regions: readonly Region[]): Box[] {
  const call = new Map(regions.filter((r) => r.kind === "call").map((r) => [r.owner, r.id]));
  const { key, label, sub, role, region } = data.boxes;
  return key.map((text, id) => ({
    id,
    key: strings[text],
    label: strings[label[id]],
    sub: strings[sub[id]],
    role: role[id],
    region: region[id],
    call: call.get(id) ?? -1,
    folded: FOLDED.has(role[id]),
    wrapper: -1,
  }));
}

function depthOf(regions: readonly Region[], region: Region): number {
  let depth = 0;
  for (let up = region.parent; up >= 0; up = regions[up].parent) depth++;
  return depth;
}

/** Give a module's only box to the region around it, in place: `q_proj` around one `linear` is one box. */
function dissolveWrappers(regions: readonly Region[], boxes: readonly Box[]): void {
  const inside: Box[][] = regions.map(() => []);
  for (const box of boxes) inside[box.region].push(box);
  for (const region of regions) {
    const [only] = region.boxes;
    const single = region.boxes.length === 1 && !region.children.length;
    if (region.kind !== "module" || !single) continue;
    const parent = regions[region.parent];
    parent.children.splice(parent.children.indexOf(region.id), 1);
    parent.boxes.push(only);
    region.boxes.length = 0;
    for (const box of inside[region.id]) box.region = parent.id;
    inside[parent.id].push(...inside[region.id]);
    boxes[only].wrapper = region.id;
  }
}

function setFirst(regions: readonly Region[], boxes: readonly Box[]): void {
  for (const box of boxes) {
    for (let up = box.call >= 0 ? box.call : box.region; up >= 0; up = regions[up].parent) {
      if (regions[up].first <= box.id) break;
      regions[up].first = box.id;
    }
  }
}

/** The regions around a box, innermost first; a call is inside its own region. */
export function around(scene: Scene, box: number): number[] {
  const found: number[] = [];
  const { call, region } = scene.boxes[box];
  for (let up = call >= 0 ? call : region; up >= 0; up = scene.regions[up].parent) found.push(up);
  return found;
}

/** Which of a folded box's users stands for it in the drawing; the box itself if it is drawn or has no user. */
export function shownBox(scene: Scene, box: number): number {
  if (!scene.boxes[box].folded) return box;
  const use = scene.flow.outOf[box].find((i) => i < scene.flow.ties);
  return use === undefined ? box : scene.flow.dst[use];
}
