// One region on its way from graph to layout: what it asks of the engine, and where things are by the answer.

import { type Content, contentOf, headerWidth, makerName, SMALL } from "./content";
import type { Doc } from "./doc";
import type { DotEnd, DotGraph } from "./dot";
import { type Geometry, snap } from "./geometry";
import { BORDER, type End, type Entity, isRegion, type Link, type RegionGraph, regionEntity, regionOf } from "./lift";
import { textWidth } from "./measure";
import type { Thinned } from "./tags";

export const HEADER = 30;
const PAD = 16;
/** How much straighter lines to the next rank are kept than long ones. */
const STRAIGHT = 3;

export interface Placed {
  readonly entity: Entity;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly content: Content;
}

export interface Curve {
  readonly link: Link;
  readonly points: readonly number[];
}

/** A port of a region that stands for a value without a line to it. */
export interface PortTag {
  readonly box: number;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** One open region in its own coordinates, the origin at its top left corner. */
export interface RegionLayout {
  readonly region: number;
  readonly width: number;
  readonly height: number;
  readonly ins: ReadonlyMap<number, number>;
  readonly outs: ReadonlyMap<number, number>;
  readonly members: readonly Placed[];
  readonly curves: readonly Curve[];
  readonly portTags: readonly PortTag[];
  /** Operands of a call that stay outside of its nested graphs, named where they arrive. */
  readonly portNames: readonly { readonly text: string; readonly x: number }[];
}

/** One region on its way from graph to layout. */
export class RegionJob {
  readonly dotGraph: DotGraph;
  private readonly contents: Content[];
  private readonly ins: number[];
  private readonly outs: number[];
  private readonly portNames: readonly (string | null)[];
  private readonly thinned: Thinned;

  constructor(
    private readonly doc: Doc,
    private readonly graph: RegionGraph,
    allThinned: ReadonlyMap<number, Thinned>,
    private readonly inner: ReadonlyMap<number, RegionLayout>,
  ) {
    const { region, members } = graph;
    this.thinned = allThinned.get(region) as Thinned;
    this.contents = members.map((m) => contentOf(doc, m, this.thinned.tags.get(`${m}.-1`) ?? []));
    this.ins = [...graph.ins];
    this.outs = [...graph.outs];
    const outside = allThinned.get(doc.scene.regions[region].parent)?.tags;
    this.portNames = this.ins.map((port) => {
      const tag = outside?.get(`${regionEntity(region)}.${port}`)?.[0];
      return tag ? makerName(doc, tag) : null;
    });
    this.dotGraph = this.toDot((member) => inner.get(regionOf(member)));
  }

  /** Whether a member is open, so that the layout depends on more than the region itself. */
  get hasOpen(): boolean {
    return this.graph.members.some((member) => this.layoutOf(member));
  }

  /** The region with all its members closed. */
  closedGraph(): DotGraph {
    return this.toDot(() => undefined);
  }

  private toDot(layoutOf: (member: Entity) => RegionLayout | undefined): DotGraph {
    const { members } = this.graph;
    const index = new Map(members.map((member, i) => [member, i]));
    const end = (side: "ins" | "outs", { at, port }: End): DotEnd => {
      if (at === BORDER) return { member: -1, port: (side === "outs" ? this.ins : this.outs).indexOf(port) };
      const layout = layoutOf(at);
      const ports = layout && sortedPorts(layout[side]);
      return { member: index.get(at) as number, port: ports ? ports.findIndex(([key]) => key === port) : -1 };
    };
    return {
      nodes: members.map((member, i) => dotNode(layoutOf(member), this.contents[i])),
      ins: this.portNames.map((name) => (name === null ? 14 : tagWidth(name))),
      outs: this.outs.map(() => 14),
      edges: this.thinned.links.map(({ tail, head }, i) => ({
        tail: end("outs", tail),
        head: end("ins", head),
        weight: this.thinned.spans[i] === 1 ? STRAIGHT : 1,
      })),
      row: this.doc.scene.regions[this.graph.region].kind === "call",
    };
  }

  private layoutOf(member: Entity): RegionLayout | undefined {
    return isRegion(member) ? this.inner.get(regionOf(member)) : undefined;
  }

  /** Turn the engine's geometry into places inside the region. */
  place(geometry: Geometry): RegionLayout {
    const { region, members } = this.graph;
    const root = region === 0;
    const least = root ? 0 : headerWidth(this.doc, region);
    const width = Math.max(geometry.width + 2 * PAD, least);
    const top = root ? PAD : HEADER + (this.ins.length ? 2 : PAD);
    const height = top + geometry.height + (this.outs.length ? 2 : PAD);
    const dx = (width - geometry.width) / 2;
    const at = (name: string): [number, number] => {
      const [x, y] = geometry.nodes[name] ?? [0, 0];
      return [x + dx, y + top];
    };
    const placed = members.map((entity, i): Placed => {
      const { width: w, height: h } = this.dotGraph.nodes[i];
      const [x, y] = at(`m${i}`);
      return { entity, x: x - w / 2, y: y - h / 2, width: w, height: h, content: this.contents[i] };
    });
    const ins = new Map(this.ins.map((port, i) => [port, at(`i${i}`)[0]]));
    const outs = new Map(this.outs.map((port, i) => [port, at(`o${i}`)[0]]));
    const portTags = this.portNames.flatMap((text, i): PortTag[] =>
      text === null ? [] : [{ box: this.ins[i], text, x: at(`i${i}`)[0], y: HEADER + 12, width: tagWidth(text) }],
    );
    const places = new Map(placed.map((p) => [p.entity, p]));
    const tagged = new Set(portTags.map((tag) => tag.box));
    const curves = this.thinned.links.flatMap((link, i): Curve[] => {
      const raw = geometry.edges[i];
      if (!raw || raw.length < 8) return [];
      const moved = raw.map((value, k) => value + (k % 2 ? top : dx));
      const start = this.anchor("outs", link.tail, places, ins, tagged.has(link.tail.port) ? HEADER + 21 : HEADER);
      return [{ link, points: snap(moved, start, this.anchor("ins", link.head, places, outs, height)) }];
    });
    const portNames = this.outerOperands().map(([port, text]) => ({ text, x: ins.get(port) ?? 0 }));
    return { region, width, height, ins, outs, members: placed, curves, portTags, portNames };
  }

  /** Ports of a call that lead to no nested graph, such as the predicate of a `cond`, by the schema's name. */
  private outerOperands(): [number, string][] {
    const { kind, owner } = this.doc.scene.regions[this.graph.region];
    if (kind !== "call") return [];
    const led = new Set(this.thinned.links.filter(({ tail }) => tail.at === BORDER).map(({ tail }) => tail.port));
    const { flow } = this.doc.scene;
    return this.ins
      .filter((port) => !led.has(port))
      .flatMap((port): [number, string][] => {
        const use = flow.into[owner].find((i) => i < flow.ties && flow.src[i] === port);
        const slot = use === undefined ? "" : flow.slot[use];
        return slot && !/^arg\d/.test(slot) ? [[port, slot]] : [];
      });
  }

  /** Where exactly an end of a link at a port is; null where the engine's own clipping is right. */
  private anchor(
    side: "ins" | "outs",
    { at, port }: End,
    places: ReadonlyMap<Entity, Placed>,
    border: ReadonlyMap<number, number>,
    y: number,
  ): [number, number] | null {
    if (at === BORDER) return [border.get(port) ?? 0, y];
    const layout = this.layoutOf(at);
    const place = places.get(at);
    const x = layout?.[side].get(port);
    return place && x !== undefined ? [place.x + x, side === "ins" ? place.y : place.y + place.height] : null;
  }
}

function dotNode(layout: RegionLayout | undefined, content: Content): DotGraph["nodes"][number] {
  if (!layout) return { width: content.width, height: content.height };
  const spots = (ports: ReadonlyMap<number, number>) => sortedPorts(ports).map(([, x]) => ({ x }));
  return { width: layout.width, height: layout.height, ins: spots(layout.ins), outs: spots(layout.outs) };
}

const tagWidth = (text: string) => Math.ceil(textWidth(text, SMALL)) + 24;

function sortedPorts(ports: ReadonlyMap<number, number>): [number, number][] {
  return [...ports].sort((a, b) => a[1] - b[1]);
}
