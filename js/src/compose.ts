// The layout of a scene: every open region on its own, from the innermost out, with open children as boxes of known size.

import { breather } from "./breathe";
import type { Doc } from "./doc";
import { type DotGraph, writeDot } from "./dot";
import type { Engine } from "./engine";
import type { Geometry } from "./geometry";
import { liftFlow, openRegions, type RegionGraph } from "./lift";
import { rankLayout } from "./rank_layout";
import { RegionJob, type RegionLayout } from "./region_layout";
import { rowLayout } from "./row_layout";
import { type Thinned, thin } from "./tags";

/** Beyond this many members or edges a layout takes seconds; ours is linear. */
const MOST_MEMBERS = 700;
const MOST_EDGES = 1600;

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
  const breathe = breather();
  const open = openRegions(doc.scene, expanded);
  const graphs = await liftFlow(doc.scene, open, breathe);
  const thinned = new Map<number, Thinned>();
  for (const id of open) {
    await breathe();
    thinned.set(id, thin(doc.scene, graphs.get(id) as RegionGraph));
  }
  const done = new Map<number, RegionLayout>();
  const notes = new Set<string>();
  const deepest = Math.max(...open.map((id) => doc.scene.regions[id].depth));
  for (let depth = deepest; depth >= 0; depth--) {
    const level = open.filter((id) => doc.scene.regions[id].depth === depth);
    const jobs: Promise<void>[] = [];
    for (const id of level) {
      await breathe();
      const job = new RegionJob(doc, graphs.get(id) as RegionGraph, thinned, done);
      jobs.push(
        settle(job, engine, cache, notes).then(async (geometry) => {
          await breathe();
          done.set(id, job.place(geometry));
        }),
      );
    }
    await Promise.all(jobs);
  }
  return { regions: done, notes: [...notes] };
}

/**
 * Lay out one region. Its members stand in the order, from left to right, that they have when all of them are closed,
 * so that opening one moves the others as little as possible, whatever was open before.
 */
async function settle(job: RegionJob, engine: Engine, cache: LayoutCache, notes: Set<string>): Promise<Geometry> {
  const { dotGraph } = job;
  if (!job.hasOpen || dotGraph.row) return geometryOf(dotGraph, engine, cache, notes);
  const base = await geometryOf(job.closedGraph(), engine, cache, notes);
  const place = (i: number) => base.nodes[`m${i}`]?.[0] ?? 0;
  const order = dotGraph.nodes.map((_, i) => i).sort((a, b) => place(a) - place(b) || a - b);
  return geometryOf({ ...dotGraph, order }, engine, cache, notes);
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
