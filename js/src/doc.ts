// One program or one diff as the views ask about it: a scene, and what stands behind each of its boxes.

import type { DiffData, Payload, ProgramData, View } from "./payload";
import { readScene, type Scene } from "./scene";

export type Status = DiffData["status"][number];

/** A node of a program that stands behind a box. `side` is "" in a program; "a" or "b" in a diff. */
export interface Side {
  readonly side: "" | "a" | "b";
  readonly program: ProgramData;
  readonly node: number;
}

export interface Doc {
  readonly kind: View["kind"];
  readonly label: string;
  readonly strings: readonly string[];
  readonly scene: Scene;
  /** The programs behind it, with the side that each is. */
  readonly programs: readonly { readonly side: Side["side"]; readonly program: ProgramData }[];
  /** The diff, where this is one. */
  readonly diff: DiffData | null;
  readonly sides: (box: number) => Side[];
  readonly status: (box: number) => Status;
  /** Worst severity of the root differences of a box, else of those that follow; "" for none. */
  readonly severity: (box: number) => string;
  /** Whether a box differs only because something that it uses does. */
  readonly follows: (box: number) => boolean;
  /** What the match of a box rests on, "" where it has no partner. */
  readonly match: (box: number) => string;
  /** Which program a use belongs to. */
  readonly useSide: (use: number) => "both" | "a" | "b";
}

/** Open one view of a payload. */
export function openDoc(payload: Payload, view: View): Doc {
  const { strings } = payload;
  const base = { kind: view.kind, label: view.label, strings };
  if (view.kind === "program") {
    const program = payload.programs[view.index];
    return {
      ...base,
      scene: readScene(program.scene, strings),
      programs: [{ side: "", program }],
      diff: null,
      sides: (box) => [{ side: "", program, node: box }],
      status: () => "same",
      severity: () => "",
      follows: () => false,
      match: () => "",
      useSide: () => "both",
    };
  }
  const diff = payload.diffs[view.index];
  const [a, b] = [payload.programs[diff.a], payload.programs[diff.b]];
  return {
    ...base,
    scene: readScene(diff.scene, strings),
    programs: [
      { side: "a", program: a },
      { side: "b", program: b },
    ],
    diff,
    sides: (box) => {
      const found: Side[] = [];
      if (diff.node_a[box] >= 0) found.push({ side: "a", program: a, node: diff.node_a[box] });
      if (diff.node_b[box] >= 0) found.push({ side: "b", program: b, node: diff.node_b[box] });
      return found;
    },
    status: (box) => diff.status[box],
    severity: (box) => (diff.severity[box] >= 0 ? strings[diff.severity[box]] : ""),
    follows: (box) => diff.cause[box] === "inherited",
    match: (box) => strings[diff.match[box]] ?? "",
    useSide: (use) => diff.side[use] ?? "both",
  };
}

/** Pairs out of a flat list of texts: name, text, name, text … */
export function pairs(doc: Doc, flat: readonly number[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([doc.strings[flat[i]], doc.strings[flat[i + 1]]]);
  return found;
}

/** The name of a node in its graph, as FX has it. */
export function nodeName(doc: Doc, box: number): string {
  const [first] = doc.sides(box);
  return first ? doc.strings[first.program.nodes.name[first.node]] : doc.scene.boxes[box].label;
}
