// A layout in linear time, for regions too large for Graphviz and for when it fails: ranks by longest path, order by
// two sweeps of barycentres, straight-ended curves between ranks.

import type { DotGraph } from "./dot";
import type { Geometry } from "./geometry";

const GAP_X = 24;
const GAP_Y = 34;
/** A rank is broken into rows of this width, so that hundreds of unconnected boxes stay readable. */
const WIDEST = 3200;

interface Item {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  rank: number;
  x: number;
  y: number;
}

/** Lay out a region graph; the result has the same shape as Graphviz's. */
export function rankLayout(graph: DotGraph): Geometry {
  const items = itemsOf(graph);
  const index = new Map(items.map((item, i) => [item.name, i]));
  const ends = graph.edges.map(({ tail, head }) => [
    index.get(tail.member < 0 ? `i${tail.port}` : `m${tail.member}`) as number,
    index.get(head.member < 0 ? `o${head.port}` : `m${head.member}`) as number,
  ]);
  rankItems(items, ends);
  const rows = rowsOf(items, ends);
  const [width, height] = placeRows(rows);
  const edges: Record<string, number[]> = {};
  ends.forEach(([a, b], i) => {
    edges[i] = curve(items[a], items[b]);
  });
  const nodes: Record<string, [number, number]> = {};
  for (const item of items) nodes[item.name] = [item.x, item.y];
  return { width, height, nodes, edges };
}

function itemsOf(graph: DotGraph): Item[] {
  const port = (letter: string) => (width: number, i: number) => item(`${letter}${i}`, width, 2);
  return [
    ...graph.ins.map(port("i")),
    ...graph.nodes.map(({ width, height }, i) => item(`m${i}`, width, height)),
    ...graph.outs.map(port("o")),
  ];
}

const item = (name: string, width: number, height: number): Item => ({ name, width, height, rank: 1, x: 0, y: 0 });

function rankItems(items: readonly Item[], ends: readonly (readonly number[])[]): void {
  const into: number[][] = items.map(() => []);
  for (const [tail, head] of ends) if (tail < head) into[head].push(tail);
  items.forEach((it, i) => {
    if (it.name[0] === "i") it.rank = 0;
    else it.rank = 1 + into[i].reduce((most, tail) => Math.max(most, items[tail].rank), 0);
  });
  const last = items.reduce((most, it) => (it.name[0] === "o" ? most : Math.max(most, it.rank)), 0) + 1;
  for (const it of items) if (it.name[0] === "o") it.rank = last;
}

function rowsOf(items: readonly Item[], ends: readonly (readonly number[])[]): Item[][] {
  const ranks: number[][] = [];
  items.forEach((it, i) => {
    ranks[it.rank] ??= [];
    ranks[it.rank].push(i);
  });
  const into: number[][] = items.map(() => []);
  const outOf: number[][] = items.map(() => []);
  for (const [tail, head] of ends) {
    into[head].push(tail);
    outOf[tail].push(head);
  }
  const place = new Float64Array(items.length);
  const number = (rank: number[]) => {
    rank.forEach((id, k) => {
      place[id] = (k + 0.5) / rank.length;
    });
  };
  const sweep = (order: number[][], near: number[][]) => {
    for (const rank of order) {
      const mean = (id: number) =>
        near[id].length ? near[id].reduce((sum, other) => sum + place[other], 0) / near[id].length : place[id];
      const keys = new Map(rank.map((id) => [id, mean(id)]));
      rank.sort((a, b) => (keys.get(a) as number) - (keys.get(b) as number) || a - b);
      number(rank);
    }
  };
  const filled = ranks.filter(Boolean);
  filled.forEach(number);
  sweep(filled, into);
  sweep(filled.slice().reverse(), outOf);
  return filled.flatMap((rank) => breakRow(rank.map((id) => items[id])));
}

function breakRow(rank: Item[]): Item[][] {
  const rows: Item[][] = [[]];
  let width = 0;
  for (const it of rank) {
    if (width > 0 && width + it.width > WIDEST) {
      rows.push([]);
      width = 0;
    }
    rows[rows.length - 1].push(it);
    width += it.width + GAP_X;
  }
  return rows;
}

function placeRows(rows: readonly Item[][]): [number, number] {
  const widths = rows.map((row) => row.reduce((sum, it) => sum + it.width + GAP_X, -GAP_X));
  const width = Math.max(0, ...widths);
  let y = 0;
  rows.forEach((row, i) => {
    const height = Math.max(...row.map((it) => it.height));
    let x = (width - widths[i]) / 2;
    for (const it of row) {
      it.x = x + it.width / 2;
      it.y = y + height / 2;
      x += it.width + GAP_X;
    }
    y += height + GAP_Y;
  });
  return [width, Math.max(0, y - GAP_Y)];
}

function curve(from: Item, to: Item): number[] {
  const [x0, y0] = [from.x, from.y + from.height / 2];
  const [x1, y1] = [to.x, to.y - to.height / 2];
  const bend = Math.max(12, Math.min(60, Math.abs(y1 - y0) / 2));
  return [x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1];
}
