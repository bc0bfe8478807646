// Where a node comes from: the user's line first, with the lines around it, then the other frames.

import type { Doc } from "./doc";
import { type Child, h } from "./dom";
import type { ProgramData } from "./payload";

const AROUND = 3;

/** Show the stack trace of a node; null if it has none. */
export function sourceOf(doc: Doc, program: ProgramData, node: number): HTMLElement | null {
  const trace = program.traces[program.nodes.trace[node]];
  if (!trace?.frames.length) return null;
  const user = trace.user >= 0 ? trace.user : trace.frames.length - 1;
  const others = trace.frames
    .map((frame, i) => [frame, i] as const)
    .filter(([, i]) => i !== user)
    .reverse();
  const list = others.map(([frame]) => h("li", {}, frameHead(doc, program, frame), quoted(doc, program, frame)));
  const count = `${list.length} more frame${list.length === 1 ? "" : "s"}, innermost first`;
  return h(
    "div",
    { class: "gl-source" },
    frameHead(doc, program, trace.frames[user]),
    excerpt(doc, program, trace.frames[user]),
    list.length > 0 && h("details", { class: "gl-frames-list" }, h("summary", {}, count), h("ol", {}, ...list)),
  );
}

function frameHead(doc: Doc, { frames }: ProgramData, frame: number): HTMLElement {
  const file = doc.strings[frames.file[frame]];
  const cut = Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1;
  return h(
    "div",
    { class: "gl-frame-head", title: file },
    h("span", { class: "gl-dir" }, file.slice(0, cut)),
    h("b", {}, `${file.slice(cut)}:${frames.line[frame]}`),
    h("span", { class: "gl-dir" }, ` in ${doc.strings[frames.function[frame]]}`),
  );
}

function quoted(doc: Doc, { frames }: ProgramData, frame: number): Child {
  const text = doc.strings[frames.text[frame]];
  return text ? h("pre", {}, text) : null;
}

/** The line with its neighbours as they were captured; else as the trace quotes it. */
function excerpt(doc: Doc, program: ProgramData, frame: number): Child {
  const { frames, sources } = program;
  const line = frames.line[frame];
  const source = sources.find((candidate) => candidate.file === frames.file[frame]);
  const near = source?.lines
    .map((number, i) => [number, i] as const)
    .filter(([number]) => Math.abs(number - line) <= AROUND);
  if (!source || !near?.some(([number]) => number === line)) return quoted(doc, program, frame);
  const texts = near.map(([, i]) => doc.strings[source.text[i]]);
  const indent = Math.min(...texts.filter((text) => text.trim()).map((text) => text.length - text.trimStart().length));
  const rows = near.map(([number], i) =>
    h(
      "span",
      { class: number === line ? "gl-user-line" : "gl-near-line", "data-line": number },
      h("span", { class: "gl-line-number", "aria-hidden": "true" }, String(number).padStart(4)),
      `${texts[i].slice(Number.isFinite(indent) ? indent : 0)}\n`,
    ),
  );
  return h("pre", { class: "gl-excerpt", tabindex: 0, "aria-label": `Source, line ${line}` }, ...rows);
}
