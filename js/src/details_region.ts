// The details of a region, and of the program or diff as a whole.

import { boxClass, differences, GRADES, MARKS, sideOf, tallyClass, tallyText } from "./differences";
import type { Doc } from "./doc";
import { h } from "./dom";
import { factTable, folding, type Goto, section } from "./facts";
import type { ProgramData } from "./payload";
import { around, type Region } from "./scene";

interface Events {
  readonly onBox: Goto;
  readonly onRegion: (region: number) => void;
}

/** Show a region; 0 is the program. */
export function regionDetails(doc: Doc, id: number, events: Events): (HTMLElement | null)[] {
  const region = doc.scene.regions[id];
  if (id === 0) return programDetails(doc);
  const facts: [string, string][] = [
    ["path", region.path],
    ["class", region.type],
    ["nodes", String(region.size)],
  ];
  const known = facts.filter(([, text]) => text).map(([name, text]) => ({ name, texts: [text] }));
  return [
    h("header", { class: "gl-details-head" }, h("h2", { "data-key": region.key }, region.label), chips(doc, region)),
    section(
      "Region",
      factTable(known, (text) => h("span", { class: "gl-code" }, text)),
    ),
    equalRegions(doc, region, events),
    operators(doc, id),
  ];
}

const KINDS: Readonly<Record<Region["kind"], string>> = {
  graph: "nested graph",
  module: "module call",
  call: "higher-order op",
  repeat: "repeated modules",
  part: "part of a large graph",
};

function chips(doc: Doc, region: Region): HTMLElement {
  const tally = differences(doc)[region.id];
  return h(
    "div",
    { class: "gl-chips" },
    h("span", { class: "gl-chip" }, KINDS[region.kind]),
    tally.count > 0 && h("span", { class: `gl-chip ${tallyClass(tally)}` }, `${tallyText(tally)}: ${tally.words}`),
  );
}

function equalRegions(doc: Doc, region: Region, events: Events): HTMLElement | null {
  const { regions } = doc.scene;
  const alike = regions.filter(
    (other) => other.hash === region.hash && other.id !== region.id && other.kind === region.kind,
  );
  if (!alike.length || region.kind === "repeat" || region.kind === "part") return null;
  const items = alike.slice(0, 12).map((other) => {
    const link = h("button", { type: "button", class: "gl-link" }, other.path || other.label);
    link.addEventListener("click", () => events.onRegion(other.id));
    return h("li", {}, link);
  });
  if (alike.length > items.length) items.push(h("li", {}, `and ${alike.length - items.length} more`));
  return section(`Equal up to names: ${alike.length}`, h("ul", { class: "gl-links" }, ...items));
}

/** How often each operator occurs inside. */
function operators(doc: Doc, id: number): HTMLElement | null {
  const counts = new Map<string, number>();
  for (const box of doc.scene.boxes) {
    if (box.role !== "op" && box.role !== "call") continue;
    if (id > 0 && !around(doc.scene, box.id).includes(id) && box.wrapper !== id) continue;
    counts.set(box.label, (counts.get(box.label) ?? 0) + 1);
  }
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  if (!sorted.length) return null;
  const most = sorted[0][1];
  const rows = sorted.slice(0, 14).map(([label, count]) => {
    const bar = h("span", { class: "gl-bar-fill" });
    bar.style.width = `${Math.max(3, (100 * count) / most)}%`;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", {}, String(count)),
      h("td", { class: "gl-bar-cell" }, bar),
    );
  });
  const rest = sorted.length - rows.length;
  return section(
    "Operators",
    h("table", { class: "gl-facts gl-histogram" }, h("tbody", {}, ...rows)),
    rest > 0 && h("p", { class: "gl-note" }, `and ${rest} more kinds`),
  );
}

/** The names of what is shown; of two programs without names of their own, which is which. */
function title(doc: Doc): string {
  const names = [...new Set(doc.programs.map(({ program }) => program.name))];
  return names.length === doc.programs.length ? names.join(" → ") : doc.label;
}

function programDetails(doc: Doc): (HTMLElement | null)[] {
  const facts = doc.programs.map(({ side, program }) => {
    const lines = program.facts.map(([name, text]) => ({ name, texts: [text] }));
    return section(
      side ? `Program ${side}: ${program.name}` : "Program",
      factTable(lines, (text) => folding(text, 100)),
    );
  });
  return [
    h("header", { class: "gl-details-head" }, h("h2", {}, title(doc))),
    doc.diff ? section("Proof", h("p", {}, doc.diff.proof)) : null,
    doc.diff ? legend(doc) : null,
    ...facts,
    symbols(doc.programs[0].program),
    operators(doc, 0),
    tips(),
  ];
}

/** What the marks mean that this diff has. */
function legend(doc: Doc): HTMLElement | null {
  const found = new Set(doc.scene.boxes.flatMap(({ id }) => [boxClass(doc, id), `gl-part-${sideOf(doc, id)}`]));
  const sides = new Set(doc.diff?.side);
  const names: [string, string, string][] = [
    ...(["grave", "serious", "slight"] as const).map((grade): [string, string, string] => [
      `gl-s-changed gl-${grade}`,
      MARKS.changed.glyph,
      `changed: ${GRADES[grade]}`,
    ]),
    ...(["inherited", "only_a", "only_b", "ambiguous"] as const).map((mark): [string, string, string] => [
      `gl-s-${mark}`,
      MARKS[mark].glyph,
      MARKS[mark].name,
    ]),
  ];
  const items = names
    .filter(([kind]) => [...found].some((one) => one === kind || one.startsWith(`${kind} `)))
    .map(([kind, glyph, name]) => legendItem(kind, glyph, name));
  for (const side of ["a", "b"] as const)
    if (found.has(`gl-part-${side}`))
      items.push(legendItem(`gl-s-changed gl-part-${side}`, MARKS.changed.glyph, `rewritten: part that ${side} has`));
  for (const side of ["a", "b"] as const)
    if (sides.has(side))
      items.push(legendItem(`gl-s-only_${side}`, side === "a" ? "┄" : "─", `operand in ${side} only`));
  return items.length ? section("Marks", h("ul", { class: "gl-legend" }, ...items)) : null;
}

const legendItem = (kind: string, glyph: string, name: string) =>
  h("li", {}, h("span", { class: `gl-chip ${kind}` }, glyph), ` ${name}`);

function symbols(program: ProgramData): HTMLElement | null {
  if (!program.symbols.length) return null;
  const items = program.symbols.map(({ name, range, hint, bound }) => ({
    name,
    texts: [[range, bound && `from ${bound}`, hint && `was ${hint}`].filter(Boolean).join(", ")],
  }));
  return section(
    "Symbols",
    factTable(items, (text) => h("span", { class: "gl-code" }, text)),
  );
}

function tips(): HTMLElement {
  const tip = (key: string, text: string) => h("li", {}, h("kbd", {}, key), ` ${text}`);
  return section(
    "At hand",
    h(
      "ul",
      { class: "gl-tips" },
      tip("click", "selects; double click opens a region"),
      tip("← ↑ → ↓", "follow the flow"),
      tip("/", "search: words, /regex/, op:linear, shape:64"),
      tip("?", "all keys"),
    ),
  );
}
