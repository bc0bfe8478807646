// What differs, box by box and region by region, and how bad that is.

import type { Doc, Status } from "./doc";

/** What is drawn of a box: its status, told apart from what only follows from another difference. */
export type Mark = Status | "inherited";

/** How bad a difference is: wrong results, broken passes, or only what people read; "" for none. */
export type Grade = "" | "slight" | "serious" | "grave";

/** Marks of a diff: never colour alone. */
export const MARKS: Readonly<Record<Mark, { readonly glyph: string; readonly name: string }>> = {
  same: { glyph: "", name: "same" },
  changed: { glyph: "≠", name: "changed" },
  inherited: { glyph: "≈", name: "follows from another difference" },
  only_a: { glyph: "−", name: "only in a" },
  only_b: { glyph: "+", name: "only in b" },
  ambiguous: { glyph: "?", name: "ambiguous" },
};

export const GRADES: Readonly<Record<Exclude<Grade, "">, string>> = {
  grave: "wrong_result",
  serious: "breaks_pass",
  slight: "debug_info or cosmetic",
};

export function markOf(doc: Doc, box: number): Mark {
  const status = doc.status(box);
  return status === "changed" && doc.follows(box) ? "inherited" : status;
}

export function gradeOf(doc: Doc, box: number): Grade {
  const mark = markOf(doc, box);
  if (mark === "same") return "";
  if (doc.follows(box)) return "slight";
  const severity = doc.severity(box);
  if (severity === "wrong_result") return "grave";
  return mark !== "changed" || severity === "breaks_pass" ? "serious" : "slight";
}

/** Classes of whatever stands for a box. */
export function boxClass(doc: Doc, box: number): string {
  const mark = markOf(doc, box);
  if (mark !== "changed") return `gl-s-${mark}`;
  const side = sideOf(doc, box);
  return `gl-s-changed gl-${gradeOf(doc, box)}${side && ` gl-part-${side}`}`;
}

/** Which side alone has a box that is part of a rewritten group; "" for any other. */
export function sideOf(doc: Doc, box: number): "" | "a" | "b" {
  const [one, two] = doc.sides(box);
  return doc.status(box) !== "changed" || two || !one ? "" : one.side;
}

/** What differs inside a region, at any depth. */
export interface Tally {
  /** What every box inside is, where that is one thing: a module that only a has. Else "changed" or "same". */
  readonly mark: Mark;
  readonly grade: Grade;
  /** Boxes that are not only slight; the slight ones where there are no others; all where the whole region is one thing. */
  readonly count: number;
  /** All of it in words, "" where nothing differs. */
  readonly words: string;
}

export type Differences = readonly Tally[];

/** Classes and text of the badge of a region. */
export const tallyClass = ({ mark, grade }: Tally) =>
  mark === "changed" ? `gl-s-changed gl-${grade}` : `gl-s-${mark}`;
export const tallyText = ({ mark, count }: Tally) => `${MARKS[mark].glyph} ${count}`;

const WHOLE: readonly Mark[] = ["only_a", "only_b", "ambiguous"];

/** Count what differs inside each region. */
export function differences(doc: Doc): Differences {
  const { boxes, regions } = doc.scene;
  const inside = new Int32Array(regions.length);
  const counts = regions.map(() => new Map<string, number>());
  for (const { id, call, region } of doc.diff ? boxes : []) {
    const mark = markOf(doc, id);
    const kinds = mark === "same" ? [] : [mark === "changed" ? gradeOf(doc, id) : mark, `=${gradeOf(doc, id)}`];
    for (let up = call >= 0 ? call : region; up >= 0; up = regions[up].parent) {
      inside[up]++;
      for (const kind of kinds) counts[up].set(kind, (counts[up].get(kind) ?? 0) + 1);
    }
  }
  return counts.map((found, region) => tally(found, inside[region]));
}

function tally(found: ReadonlyMap<string, number>, inside: number): Tally {
  const grade = (["grave", "serious", "slight"] as const).find((kind) => found.has(`=${kind}`)) ?? "";
  if (!grade) return { mark: "same", grade: "", count: 0, words: "" };
  const count = (kind: string) => found.get(kind) ?? 0;
  const whole = WHOLE.find((mark) => found.get(mark) === inside);
  const names = new Map<string, string>([
    ...Object.entries(GRADES).map(([kind, name]): [string, string] => [kind, `changed (${name})`]),
    ...(["only_a", "only_b", "ambiguous"] as const).map((mark): [string, string] => [mark, MARKS[mark].name]),
    ["inherited", "only because of another"],
  ]);
  const words = [...names].filter(([kind]) => found.has(kind)).map(([kind, name]) => `${found.get(kind)} ${name}`);
  return {
    mark: whole ?? "changed",
    grade,
    count: whole ? inside : grade === "slight" ? count("=slight") : count("=grave") + count("=serious"),
    words: words.join(", "),
  };
}
