// What Graphviz says (`-Tjson0`) as numbers: y runs down, lengths are px.

/** Where things are. Curves are cubic Béziers: x0 y0, then six numbers per piece. */
export interface Geometry {
  readonly width: number;
  readonly height: number;
  /** Centres by DOT name. */
  readonly nodes: Readonly<Record<string, readonly [number, number]>>;
  /** Curves by edge id; an edge that could not be routed is missing. */
  readonly edges: Readonly<Record<string, readonly number[]>>;
}

interface Json0 {
  readonly bb?: string;
  readonly objects?: readonly { readonly name: string; readonly pos?: string }[];
  readonly edges?: readonly { readonly id?: string; readonly pos?: string }[];
}

/** Read the output of a layout. */
export function readGeometry(text: string): Geometry {
  const data = JSON.parse(text) as Json0;
  const [left, bottom, right, top] = numbers(data.bb ?? "0,0,0,0");
  const flip = (values: number[]) => values.map((value, i) => (i % 2 ? top - value : value - left));
  const nodes: Record<string, readonly [number, number]> = {};
  for (const { name, pos } of data.objects ?? []) {
    if (pos) nodes[name] = flip(numbers(pos)) as [number, number];
  }
  const edges: Record<string, readonly number[]> = {};
  for (const { id, pos } of data.edges ?? []) {
    if (id !== undefined && pos) edges[id] = flip(numbers(pos.replace(/[se],\S+ /g, "")));
  }
  return { width: right - left, height: top - bottom, nodes, edges };
}

function numbers(text: string): number[] {
  return text.split(/[\s,]+/).map(Number);
}

/** Move the start and the end of a curve to exact places, and the handles there with them. */
export function snap(
  curve: readonly number[],
  start: readonly [number, number] | null,
  end: readonly [number, number] | null,
): number[] {
  const found = curve.slice();
  const last = found.length - 2;
  if (start) shift(found, 0, 2, start);
  if (end) shift(found, last, last - 2, end);
  return found;
}

function shift(curve: number[], at: number, handle: number, [x, y]: readonly [number, number]): void {
  const [dx, dy] = [x - curve[at], y - curve[at + 1]];
  curve[at] = x;
  curve[at + 1] = y;
  curve[handle] += dx;
  curve[handle + 1] += dy;
}

/** A point on a curve at a fraction of its pieces. */
export function pointAt(curve: readonly number[], fraction: number): [number, number] {
  const pieces = (curve.length - 2) / 6;
  const place = Math.min(pieces - 1e-9, Math.max(0, fraction * pieces));
  const base = Math.floor(place) * 6;
  const t = place - Math.floor(place);
  const at = (axis: number) => {
    const [a, b, c, d] = [0, 2, 4, 6].map((step) => curve[base + step + axis]);
    const u = 1 - t;
    return u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
  };
  return [at(0), at(1)];
}

/** Write a curve as SVG path data. */
export function pathData(curve: readonly number[]): string {
  const n = (value: number) => Math.round(value * 10) / 10;
  let text = `M${n(curve[0])} ${n(curve[1])}`;
  for (let i = 2; i + 5 < curve.length; i += 6) {
    text += `C${[0, 1, 2, 3, 4, 5].map((k) => n(curve[i + k])).join(" ")}`;
  }
  return text;
}
