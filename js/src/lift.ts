// What each open region has to draw: its members, the ports on its border, and the links between them.
//
// A use of a value that crosses borders becomes one link per region on its way. Inside the innermost region that holds
// both ends it goes from member to member; in each open region on the way down it goes from or to a port.

import type { Region, Scene } from "./scene";

/** A box (its id) or a region (-1 - id). */
export type Entity = number;
export const regionEntity = (region: number): Entity => -1 - region;
export const isRegion = (entity: Entity): boolean => entity < 0;
export const regionOf = (entity: Entity): number => -1 - entity;

/** In place of a member: the border of the region itself. */
export const BORDER: Entity = Number.MIN_SAFE_INTEGER;
/** A member that has no ports: a box or a closed region. */
export const NO_PORT = -1;

/** One end of a link: a member, and the port of it (the box whose value passes) if it is an open region. */
export interface End {
  readonly at: Entity;
  readonly port: number;
}

export interface Link {
  readonly tail: End;
  readonly head: End;
  /** Uses that run along it. */
  readonly uses: number[];
  /** The boxes whose values it carries. */
  readonly values: Set<number>;
}

export interface RegionGraph {
  readonly region: number;
  readonly members: readonly Entity[];
  /** Ports by the box that names them: the maker of the value, or the placeholder that takes it. */
  readonly ins: Set<number>;
  readonly outs: Set<number>;
  readonly links: Map<string, Link>;
}

/** Find the regions that are open: they and everything around them are in `expanded`. */
export function openRegions(scene: Scene, expanded: ReadonlySet<number>): number[] {
  const open: number[] = [];
  const pending = [0];
  for (let region = pending.pop(); region !== undefined; region = pending.pop()) {
    open.push(region);
    for (const child of scene.regions[region].children) {
      if (expanded.has(child)) pending.push(child);
    }
  }
  return open;
}

/** Lift the flow of a scene to its open regions. `breathe` is awaited now and then. */
export function liftFlow(
  scene: Scene,
  open: readonly number[],
  breathe: () => Promise<void> | undefined = () => undefined,
): Promise<Map<number, RegionGraph>> {
  return new Lifter(scene, new Set(open)).run(breathe);
}

class Lifter {
  private readonly graphs = new Map<number, RegionGraph>();
  private readonly chains: (Entity[] | undefined)[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly open: ReadonlySet<number>,
  ) {}

  async run(breathe: () => Promise<void> | undefined): Promise<Map<number, RegionGraph>> {
    for (const region of this.open) {
      const members = membersOf(this.scene, this.scene.regions[region]);
      this.graphs.set(region, { region, members, ins: new Set(), outs: new Set(), links: new Map() });
    }
    const { src, dst } = this.scene.flow;
    for (let use = 0; use < src.length; use++) {
      if (use % 256 === 0) await breathe();
      this.lift(use, src[use], dst[use]);
    }
    for (const region of this.open) this.feedCall(this.scene.regions[region]);
    return this.graphs;
  }

  private lift(use: number, src: number, dst: number): void {
    const { boxes, flow } = this.scene;
    if (boxes[src].folded || boxes[dst].folded) return;
    const from = this.chain(src);
    const to = this.chain(dst);
    let fork = 0;
    while (fork < from.length && fork < to.length && from[fork] === to[fork]) fork++;
    if (fork === from.length || fork === to.length) return;
    const tie = use >= flow.ties;
    const inPort = (entity: Entity) => (tie && this.scene.regions[regionOf(entity)].kind === "graph" ? dst : src);
    const tail = { at: from[fork], port: this.isOpen(from[fork]) ? src : NO_PORT };
    const head = { at: to[fork], port: this.isOpen(to[fork]) ? inPort(to[fork]) : NO_PORT };
    this.link(fork ? regionOf(from[fork - 1]) : 0, tail, head, use, src);
    for (let i = fork; i < from.length && this.isOpen(from[i]); i++) {
      const region = regionOf(from[i]);
      this.graphs.get(region)?.outs.add(src);
      if (i + 1 === from.length) break;
      const inner = { at: from[i + 1], port: this.isOpen(from[i + 1]) ? src : NO_PORT };
      this.link(region, inner, { at: BORDER, port: src }, use, src);
    }
    for (let i = fork; i < to.length && this.isOpen(to[i]); i++) {
      const region = regionOf(to[i]);
      const port = inPort(to[i]);
      this.graphs.get(region)?.ins.add(port);
      if (i + 1 === to.length) break;
      const inner = { at: to[i + 1], port: this.isOpen(to[i + 1]) ? inPort(to[i + 1]) : NO_PORT };
      this.link(region, { at: BORDER, port }, inner, use, src);
    }
  }

  /** The outputs of nested graphs are the result of the node that calls them. */
  private feedCall(call: Region): void {
    if (call.kind !== "call") return;
    this.graphs.get(call.id)?.outs.add(call.owner);
    for (const child of call.children) {
      const output = this.scene.regions[child].boxes.find((box) => this.scene.boxes[box].role === "output");
      if (output === undefined) continue;
      const inside = this.graphs.get(child);
      inside?.outs.add(output);
      if (inside) this.link(child, { at: output, port: NO_PORT }, { at: BORDER, port: output }, -1, output);
      const tail = { at: regionEntity(child), port: inside ? output : NO_PORT };
      this.link(call.id, tail, { at: BORDER, port: call.owner }, -1, output);
    }
  }

  private link(region: number, tail: End, head: End, use: number, value: number): void {
    const links = this.graphs.get(region)?.links;
    const key = `${tail.at}.${tail.port}>${head.at}.${head.port}`;
    let link = links?.get(key);
    if (!link) {
      link = { tail, head, uses: [], values: new Set() };
      links?.set(key, link);
    }
    if (use >= 0) link.uses.push(use);
    link.values.add(value);
  }

  /** What stands for a box, from outside in: open regions, then a closed region or the box. Without the root. */
  private chain(box: number): Entity[] {
    const cached = this.chains[box];
    if (cached) return cached;
    const { call, region } = this.scene.boxes[box];
    const regions: number[] = [];
    for (let up = call >= 0 ? call : region; up > 0; up = this.scene.regions[up].parent) regions.push(up);
    regions.reverse();
    const closed = regions.findIndex((id) => !this.open.has(id));
    const chain = (closed < 0 ? regions : regions.slice(0, closed + 1)).map(regionEntity);
    if (closed < 0 && call < 0) chain.push(box);
    this.chains[box] = chain;
    return chain;
  }

  private isOpen(entity: Entity): boolean {
    return isRegion(entity) && this.open.has(regionOf(entity));
  }
}

/** The boxes and regions directly inside a region, in the program's order. */
export function membersOf(scene: Scene, region: Region): Entity[] {
  const order = (entity: Entity) => (isRegion(entity) ? scene.regions[regionOf(entity)].first : entity);
  return [...region.boxes, ...region.children.map(regionEntity)].sort((a, b) => order(a) - order(b));
}
