// Helpers of the tests: documents to show, and Graphviz without a worker.

import { Graphviz } from "@hpcc-js/wasm-graphviz";
import diff from "../demo-data/diff.json";
import nested from "../demo-data/nested.json";
import { type Doc, openDoc } from "./doc";
import type { Engine } from "./engine";
import { readGeometry } from "./geometry";
import type { Payload, Scene } from "./payload";

/** `cond` in `map` in `cond`, three equal layers, one symbol; written by Python. */
export const NESTED = nested as unknown as Payload;

/** Two exports of one decoder, with static and with dynamic shapes; written by Python. */
const DIFF = diff as unknown as Payload;

export const diffDoc = (): Doc => openDoc(DIFF, DIFF.sections[0].views[0]);

export const nestedDoc = (): Doc => openDoc(NESTED, NESTED.sections[0].views[0]);

/** The real layout engine, in this process. It keeps the DOT texts that it was given. */
export function realEngine(): Engine & { readonly dots: string[] } {
  const dots: string[] = [];
  return {
    dots,
    layout: async (dot) => {
      dots.push(dot);
      return readGeometry((await Graphviz.load()).layout(dot, "json0" as "json", "dot"));
    },
  };
}

export interface BoxSpec {
  readonly key: string;
  readonly label?: string;
  readonly sub?: string;
  readonly role?: Scene["boxes"]["role"][number];
  readonly region?: number;
  /** Boxes whose values it uses. */
  readonly uses?: readonly number[];
}

export interface RegionSpec {
  readonly key: string;
  readonly kind: "graph" | "module" | "call";
  readonly parent: number;
  readonly owner?: number;
  readonly hash?: string;
}

const ROOT: RegionSpec = { key: "#", kind: "graph", parent: -1 };

/** Make a payload of one program out of boxes and regions (the root is added in front). */
export function payloadOf(boxes: readonly BoxSpec[], regions: readonly RegionSpec[] = []): Payload {
  const strings: string[] = [];
  const index = new Map<string, number>();
  const t = (text: string): number => {
    const known = index.get(text) ?? strings.push(text) - 1;
    index.set(text, known);
    return known;
  };
  const all = [ROOT, ...regions];
  const uses = boxes.flatMap(({ uses: list = [] }, dst) => list.map((src) => [src, dst] as const));
  const none = boxes.map(() => -1);
  const scene: Scene = {
    regions: {
      key: all.map((r) => t(r.key)),
      kind: all.map((r) => r.kind),
      parent: all.map((r) => r.parent),
      label: all.map((r) => t(r.key)),
      type: all.map((r) => t(r.kind === "module" ? "Block" : "")),
      path: all.map((r) => t(r.kind === "call" ? "" : r.key)),
      owner: all.map((r) => r.owner ?? -1),
      hash: all.map((r) => t(r.hash ?? r.key)),
      size: all.map(() => 1),
    },
    boxes: {
      key: boxes.map((b) => t(b.key)),
      label: boxes.map((b) => t(b.label ?? b.key)),
      sub: boxes.map((b) => t(b.sub ?? "f32[2]")),
      role: boxes.map((b) => b.role ?? "op"),
      region: boxes.map((b) => b.region ?? 0),
    },
    edges: {
      dst: uses.map(([, dst]) => dst),
      back: uses.map(([src, dst]) => dst - src),
      slot: uses.map((_, i) => t(`arg${i}`)),
      port: uses.map(() => -1),
    },
    ties: { outer: [], inner: [] },
  };
  const nodes = {
    graph: boxes.map(() => 0),
    name: boxes.map((b) => t(b.key)),
    op: boxes.map(() => t("call_function")),
    target: boxes.map((b) => t(b.label ?? b.key)),
    value: none,
    module: boxes.map(() => t("")),
    trace: none,
    args: boxes.map((): number[] => []),
    meta: boxes.map((b) => [t("note"), t(b.key)]),
  };
  const frames = { file: [], line: [], function: [], text: [] };
  const program = { name: "p", facts: [], graphs: [""], scene, nodes, values: [], frames, traces: [], sources: [] };
  const view = { label: "p", kind: "program", index: 0, open: [0] } as const;
  const section = { kind: "program", title: "p", verdict: "", status: "none", views: [view], tables: [] } as const;
  const programs = [{ ...program, symbols: [], tables: [] }];
  return { version: 1, generator: "test", title: "test", strings, programs, diffs: [], sections: [section] };
}

export function docOf(boxes: readonly BoxSpec[], regions: readonly RegionSpec[] = []): Doc {
  const payload = payloadOf(boxes, regions);
  return openDoc(payload, payload.sections[0].views[0]);
}
