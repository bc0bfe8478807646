// The layout of a scene: every open region on its own, from the innermost out, with open children as boxes of known size.

import { type Content, contentOf, headerWidth, makerName, SMALL } from "./content";
import type { Doc } from "./doc";
import { type DotEnd, type DotGraph, writeDot } from "./dot";
import type { Engine } from "./engine";
import { type Geometry, snap } from "./geometry";
import {
  BORDER,
  type End,
  type Entity,
  isRegion,
  type Link,
  liftFlow,
  openRegions,
  type RegionGraph,
  regionEntity,
  regionOf,
} from "./lift";
import { textWidth } from "./measure";
import { rankLayout } from "./rank_layout";
import { rowLayout } from "./row_layout";
import { type Thinned, thin } from "./tags";

export const HEADER = 30;
const PAD = 16;
/** Beyond this many members or edges a layout takes seconds; ours is linear. */
const MOST_MEMBERS = 700;
const MOST_EDGES = 1600;

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
}

export interface SceneLayout {
  readonly regions: ReadonlyMap<number, RegionLayout>;
  /** What went wrong and was worked around, for people. */
  readonly notes: readonly string[];
}

/** Layouts by DOT text, also those under way. */
export type LayoutCache = Map<string, Promise<Geometry>>;

/** Lay out a scene with a set of expanded regions. Equal regions are laid out once. */
export async function compose(
  doc: Doc,
  expanded: ReadonlySet<number>,
  engine: Engine,
  cache: LayoutCache,
): Promise<SceneLayout> {
  const open = openRegions(doc.scene, expanded);
  const graphs = liftFlow(doc.scene, open);
  const thinned = new Map(open.map((id) => [id, thin(doc.scene, graphs.get(id) as RegionGraph)]));
  const done = new Map<number, RegionLayout>();
  const notes = new Set<string>();
  const deepest = Math.max(...open.map((id) => doc.scene.regions[id].depth));
  for (let depth = deepest; depth >= 0; depth--) {
    const level = open.filter((id) => doc.scene.regions[id].depth === depth);
    const jobs = level.map(async (id) => {
      const job = new RegionJob(doc, graphs.get(id) as RegionGraph, thinned, done);
      done.set(id, job.place(await geometryOf(job.dotGraph, engine, cache, notes)));
    });
    await Promise.all(jobs);
  }
  return { regions: done, notes: [...notes] };
}

async function geometryOf(graph: DotGraph, engine: Engine, cache: LayoutCache, notes: Set<string>): Promise<Geometry> {
  if (graph.row) return rowLayout(graph);
  if (graph.nodes.length > MOST_MEMBERS || graph.edges.length > MOST_EDGES) return rankLayout(graph);
  const dot = writeDot(graph);
  const promise = cache.get(dot) ?? engine.layout(dot);
  cache.set(dot, promise);
  try {
    return await promise;
  } catch (error) {
    cache.delete(dot);
    notes.add(`${(error as Error).message}; drawn with the simple layout instead.`);
    return rankLayout(graph);
  }
}

/** One region on its way from graph to layout. */
class RegionJob {
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
    this.dotGraph = this.toDot();
  }

  private toDot(): DotGraph {
    const { members } = this.graph;
    const index = new Map(members.map((member, i) => [member, i]));
    const end = (side: "ins" | "outs", { at, port }: End): DotEnd => {
      if (at === BORDER) return { member: -1, port: (side === "outs" ? this.ins : this.outs).indexOf(port) };
      const layout = this.layoutOf(at);
      const ports = layout && sortedPorts(layout[side]);
      return { member: index.get(at) as number, port: ports ? ports.findIndex(([key]) => key === port) : -1 };
    };
    return {
      nodes: members.map((member, i) => this.dotNode(member, this.contents[i])),
      ins: this.portNames.map((name) => (name === null ? 14 : tagWidth(name))),
      outs: this.outs.map(() => 14),
      edges: this.thinned.links.map(({ tail, head }) => ({
        tail: end("outs", tail),
        head: end("ins", head),
        weight: 1,
      })),
      row: this.doc.scene.regions[this.graph.region].kind === "call",
    };
  }

  private dotNode(member: Entity, content: Content): DotGraph["nodes"][number] {
    const layout = this.layoutOf(member);
    if (!layout) return { width: content.width, height: content.height };
    const spots = (ports: ReadonlyMap<number, number>) => sortedPorts(ports).map(([, x]) => ({ x }));
    return { width: layout.width, height: layout.height, ins: spots(layout.ins), outs: spots(layout.outs) };
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
    return { region, width, height, ins, outs, members: placed, curves, portTags };
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

const tagWidth = (text: string) => Math.ceil(textWidth(text, SMALL)) + 24;

function sortedPorts(ports: ReadonlyMap<number, number>): [number, number][] {
  return [...ports].sort((a, b) => a[1] - b[1]);
}
