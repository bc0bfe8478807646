// One region as DOT: boxes of known size, ports, links. No text of the program ever goes in, so nothing needs escaping
// and regions that are equal up to names give the same DOT, which is the key of the layout cache.

/** A port: its number among the ports of its side, and where it is along the side, in px from the left. */
export interface PortSpot {
  readonly x: number;
}

export interface DotNode {
  readonly width: number;
  readonly height: number;
  /** Open regions have ports, placed from left to right. */
  readonly ins?: readonly PortSpot[];
  readonly outs?: readonly PortSpot[];
}

/** `member` is an index into the nodes; -1 is the border, then `port` is the border's port. */
export interface DotEnd {
  readonly member: number;
  readonly port: number;
}

export interface DotGraph {
  readonly nodes: readonly DotNode[];
  /** In which order to name the nodes, which Graphviz starts from; as they are by default. */
  readonly order?: readonly number[];
  /** Widths of the border's own ports. */
  readonly ins: readonly number[];
  readonly outs: readonly number[];
  readonly edges: readonly { readonly tail: DotEnd; readonly head: DotEnd; readonly weight: number }[];
  /** Members go side by side: laid out by `rowLayout`, not by Graphviz. */
  readonly row: boolean;
}

const inches = (px: number) => (px / 72).toFixed(3);

/** Write a region graph as DOT. */
export function writeDot(graph: DotGraph): string {
  const lines = [
    "digraph{graph[nodesep=.3 ranksep=.44]",
    'node[shape=box fixedsize=true label="" fontname=Courier fontsize=1]edge[arrowhead=none]',
  ];
  for (const i of graph.order ?? graph.nodes.keys()) {
    const node = graph.nodes[i];
    const size = `width=${inches(node.width)} height=${inches(node.height)}`;
    lines.push(`m${i}[${size}${node.ins || node.outs ? ` shape=record label="${recordLabel(node)}"` : ""}]`);
  }
  lines.push(...portRank("i", "source", graph.ins), ...portRank("o", "sink", graph.outs));
  graph.edges.forEach(({ tail, head, weight }, i) => {
    lines.push(`${endText(tail, "out")}->${endText(head, "in")}[id=${i}${weight > 1 ? ` weight=${weight}` : ""}]`);
  });
  lines.push("}");
  return lines.join("\n");
}

function portRank(letter: string, rank: string, widths: readonly number[]): string[] {
  if (!widths.length) return [];
  const nodes = widths.map((width, i) => `${letter}${i}[width=${inches(width)} height=.02]`);
  return [`{rank=${rank};${nodes.join(";")}}`];
}

function endText({ member, port }: DotEnd, side: "in" | "out"): string {
  if (member < 0) return `${side === "out" ? "i" : "o"}${port}`;
  if (port < 0) return `m${member}`;
  return side === "in" ? `m${member}:i${port}:n` : `m${member}:o${port}:s`;
}

/** Fields of a record are as wide as their text, so ports get their place from fields of `x` between them. */
function recordLabel(node: DotNode): string {
  const row = (letter: string, spots: readonly PortSpot[]) => {
    const fields: string[] = [];
    let from = 0;
    spots.forEach((spot, i) => {
      fields.push(filler(spot.x - from), `<${letter}${i}>`);
      from = spot.x;
    });
    fields.push(filler(node.width - from));
    return fields.join("|");
  };
  return `{{${row("i", node.ins ?? [])}}|{}|{${row("o", node.outs ?? [])}}}`;
}

/** Text of about a width: Courier at 1pt is 0.6 wide, a record pads a field by 16; some is left to share out. */
function filler(width: number): string {
  return "x".repeat(Math.max(0, Math.floor((width - 16 - 4) / 0.6)));
}
