// Where along its lines a value is named: beside a line, clear of boxes, other lines and other names.

import { SMALL } from "./content";
import type { Doc } from "./doc";
import { pointAt } from "./geometry";
import type { Link } from "./lift";
import { textWidth } from "./measure";

export const LABEL = SMALL - 1;
const GAP = 5;
const CELL = 48;
const STEP = 7;
/** Points of all lines together: the lines of a node with thousands of operands are as long as the picture is wide. */
const MOST_SAMPLES = 100_000;

export interface Label {
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  readonly link: Link;
  readonly points: readonly number[];
}

/** Find a place for the name of each value, on one of the lines from its maker; none where all are crowded. */
export function placeLabels(doc: Doc, lines: readonly Line[], blocked: readonly Area[]): (Label | null)[] {
  const grid = new Grid();
  for (const area of blocked) grid.add(area);
  const step = Math.max(STEP, lines.reduce((sum, { points }) => sum + lengthOf(points), 0) / MOST_SAMPLES);
  for (const { points } of lines) for (const [x, y] of samples(points, step)) grid.add({ x, y, width: 0, height: 0 });
  const labels: (Label | null)[] = lines.map(() => null);
  const makers = new Map<string, number[]>();
  lines.forEach(({ link }, i) => {
    const key = `${link.tail.at}.${link.tail.port}`;
    const group = makers.get(key);
    if (group) group.push(i);
    else makers.set(key, [i]);
  });
  for (const group of makers.values()) {
    const text = valueText(doc, lines[group[0]].link);
    if (!text) continue;
    const found = group
      .slice(0, 4)
      .flatMap((i) => candidates(lines[i].points, text).map((label) => [i, label] as const));
    const free = found.find(([, label]) => grid.isFree(areaOf(label)));
    if (!free) continue;
    labels[free[0]] = free[1];
    grid.add(areaOf(free[1]));
  }
  return labels;
}

function valueText(doc: Doc, link: Link): string {
  const texts = new Set([...link.values].map((box) => doc.scene.boxes[box].sub));
  return texts.size === 1 ? [...texts][0] : `${texts.size} values`;
}

const lengthOf = (points: readonly number[]) => {
  const end = points.length - 2;
  return Math.abs(points[end] - points[0]) + Math.abs(points[end + 1] - points[1]);
};

function* samples(points: readonly number[], step: number): Generator<[number, number]> {
  const count = Math.max(3, Math.ceil(lengthOf(points) / step));
  for (let i = 0; i <= count; i++) yield pointAt(points, i / count);
}

function candidates(points: readonly number[], text: string): Label[] {
  const width = textWidth(text, LABEL);
  const length = Math.abs(points[points.length - 1] - points[1]);
  return [15, 22, 30, 44, 60].flatMap((down) => {
    if (down > length + 4) return [];
    const [x, y] = pointAt(points, Math.min(0.95, down / Math.max(length, 1)));
    return [
      { text, x: x + GAP, y: y + 3 },
      { text, x: x - GAP - width, y: y + 3 },
    ];
  });
}

const areaOf = ({ text, x, y }: Label): Area => ({
  x: x - 1,
  y: y - LABEL + 1,
  width: textWidth(text, LABEL) + 2,
  height: LABEL + 1,
});

/** Areas by the cells of a grid that they touch; very large ones in a list. */
class Grid {
  private readonly cells = new Map<number, Area[]>();
  private readonly large: Area[] = [];

  add(area: Area): void {
    if (area.width * area.height > 60 * CELL * CELL) {
      this.large.push(area);
      return;
    }
    for (const key of keys(area)) {
      const cell = this.cells.get(key);
      if (cell) cell.push(area);
      else this.cells.set(key, [area]);
    }
  }

  isFree(area: Area): boolean {
    if (this.large.some((other) => touches(area, other))) return false;
    for (const key of keys(area)) {
      if (this.cells.get(key)?.some((other) => touches(area, other))) return false;
    }
    return true;
  }
}

const touches = (a: Area, b: Area) =>
  a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;

function* keys({ x, y, width, height }: Area): Generator<number> {
  for (let i = Math.floor(x / CELL); i <= Math.floor((x + width) / CELL); i++) {
    for (let j = Math.floor(y / CELL); j <= Math.floor((y + height) / CELL); j++) yield i * 1e6 + j;
  }
}
