// The layout of a call: its nested graphs side by side, tops in line, operands led in from above, results out below.

import type { DotGraph } from "./dot";
import type { Geometry } from "./geometry";

const GAP = 28;
const BAND = 36;
const PORT = 26;

/** Lay out the members of a call in a row; the result has the same shape as Graphviz's. */
export function rowLayout(graph: DotGraph): Geometry {
  const nodes: Record<string, [number, number]> = {};
  const tops: [number, number][] = [];
  let x = 0;
  const tall = Math.max(0, ...graph.nodes.map((node) => node.height));
  const top = graph.ins.length ? BAND : 0;
  graph.nodes.forEach(({ width, height }, i) => {
    nodes[`m${i}`] = [x + width / 2, top + height / 2];
    tops.push([x, height]);
    x += width + GAP;
  });
  const width = Math.max(x - GAP, 0);
  const height = top + tall + (graph.outs.length ? BAND : 0);
  const spot = (side: "ins" | "outs", member: number, port: number) =>
    tops[member][0] + (graph.nodes[member][side]?.[port]?.x ?? graph.nodes[member].width / 2);
  const wanted = (side: "ins" | "outs", port: number) => {
    const found = graph.edges.flatMap(({ tail, head }) => {
      const [border, inner] = side === "ins" ? [tail, head] : [head, tail];
      return border.member < 0 && border.port === port ? [spot(side, inner.member, inner.port)] : [];
    });
    return found.length ? found.reduce((sum, at) => sum + at, 0) / found.length : width / 2;
  };
  const put = (letter: string, side: "ins" | "outs", widths: readonly number[], y: number) => {
    const order = widths.map((_, port) => [port, wanted(side, port)] as const).sort((a, b) => a[1] - b[1]);
    spread(order, width).forEach((at, i) => {
      nodes[`${letter}${order[i][0]}`] = [at, y];
    });
  };
  put("i", "ins", graph.ins, 0);
  put("o", "outs", graph.outs, height);
  const edges: Record<string, number[]> = {};
  graph.edges.forEach(({ tail, head }, i) => {
    if (tail.member < 0 && head.member >= 0) {
      const [x0, y0] = nodes[`i${tail.port}`];
      edges[i] = bend(x0, y0, spot("ins", head.member, head.port), top);
    } else if (tail.member >= 0 && head.member < 0) {
      const [x1, y1] = nodes[`o${head.port}`];
      const from = spot("outs", tail.member, tail.port);
      const [start, turn] = [top + tops[tail.member][1], height - BAND];
      edges[i] = [from, start, from, start, from, turn, from, turn, ...bend(from, turn, x1, y1).slice(2)];
    }
  });
  return { width, height, nodes, edges };
}

const bend = (x0: number, y0: number, x1: number, y1: number) => {
  const middle = (y0 + y1) / 2;
  return [x0, y0, x0, middle, x1, middle, x1, y1];
};

/** Ports near where they want to be, in order, not closer than they can be told apart. */
function spread(wanted: readonly (readonly [number, number])[], width: number): number[] {
  const found: number[] = [];
  for (const [, at] of wanted) found.push(Math.max(at, (found.at(-1) ?? -PORT) + PORT));
  const over = Math.max(0, (found.at(-1) ?? 0) - width);
  return found.map((at) => at - over);
}
