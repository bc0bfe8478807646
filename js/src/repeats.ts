// Long runs of equal sibling modules, shown as one foldable region "×126".

import type { Region } from "./scene";

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
