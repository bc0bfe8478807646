// Regions that a program does not have but a reader needs: long runs of equal sibling modules as one ("×126"), and parts
// of a graph with thousands of boxes.

import type { Box, Region } from "./scene";

/** Shorter runs are easier to read unfolded. */
const SHORTEST = 12;

/**
 * Put runs of equal sibling regions into a region of kind `repeat`, in place.
 *
 * Equal means the same hash, which ignores names and weights. A run is broken by a sibling that differs: that one
 * stands alone and is thereby named.
 */
export function foldRuns(regions: Region[]): void {
  for (const parent of regions.slice()) {
    const runs = findRuns(parent.children.map((id) => regions[id]));
    for (const run of runs) wrap(regions, parent, run);
  }
}

function findRuns(children: readonly Region[]): Region[][] {
  const runs: Region[][] = [];
  for (const child of children) {
    const last = runs.at(-1);
    const alike = last && child.kind === "module" && last[0].hash === child.hash && last[0].type === child.type;
    if (alike) last.push(child);
    else runs.push([child]);
  }
  return runs.filter((run) => run.length >= SHORTEST);
}

function wrap(regions: Region[], parent: Region, run: readonly Region[]): void {
  const [first, last] = [run[0], run[run.length - 1]];
  const repeat: Region = {
    id: regions.length,
    key: `${first.key}…${last.key}`,
    kind: "repeat",
    parent: parent.id,
    depth: 0,
    label: rangeLabel(first.label, last.label),
    type: first.type,
    path: first.path,
    owner: -1,
    hash: `${first.hash}×${run.length}`,
    size: run.reduce((sum, region) => sum + region.size, 0),
    first: first.first,
    children: run.map((region) => region.id),
    boxes: [],
  };
  regions.push(repeat);
  for (const region of run) region.parent = repeat.id;
  parent.children.splice(parent.children.indexOf(first.id), run.length, repeat.id);
}

/** `layers.0` and `layers.125` give `layers.0 – 125`. */
export function rangeLabel(first: string, last: string): string {
  const dot = first.lastIndexOf(".");
  return dot >= 0 && last.startsWith(first.slice(0, dot + 1))
    ? `${first} – ${last.slice(dot + 1)}`
    : `${first} – ${last}`;
}

/** A region with more boxes than this is shown in parts. */
const CROWDED = 400;

/** Cut what is crowded into parts, in the program's order, in place. Inputs and outputs stay where they are. */
export function foldCrowds(regions: Region[], boxes: readonly Box[]): void {
  for (const parent of regions.slice()) {
    const inner = parent.boxes.filter((id) => boxes[id].role === "op").sort((a, b) => a - b);
    if (inner.length <= CROWDED) continue;
    const size = Math.max(60, Math.ceil(inner.length / 80));
    const outer = parent.boxes.filter((id) => boxes[id].role !== "op");
    for (let i = 0; i < inner.length; i += size) addPart(regions, parent, inner.slice(i, i + size), boxes);
    parent.boxes.splice(0, parent.boxes.length, ...outer);
  }
}

function addPart(regions: Region[], parent: Region, inside: number[], boxes: readonly Box[]): void {
  const name = (id: number) => boxes[id].key.slice(boxes[id].key.lastIndexOf("/") + 1);
  const [first, last] = [inside[0], inside[inside.length - 1]];
  const part: Region = {
    id: regions.length,
    key: `${parent.key}[${first}:${last + 1}]`,
    kind: "part",
    parent: parent.id,
    depth: 0,
    label: `${name(first)} … ${name(last)}`,
    type: "",
    path: parent.path,
    owner: -1,
    hash: "",
    size: inside.length,
    first,
    children: [],
    boxes: inside,
  };
  regions.push(part);
  parent.children.push(part.id);
  for (const id of inside) boxes[id].region = part.id;
}
