// The details pane: everything that is known about what is selected.

import { categoryOf } from "./category";
import { regionDetails } from "./details_region";
import { boxClass, GRADES, gradeOf, MARKS, markOf, sideOf } from "./differences";
import { type Doc, nodeName, pairs, type Side } from "./doc";
import { h, replace } from "./dom";
import { boxLink, factTable, folding, type Goto, joinFacts, linked, section } from "./facts";
import { type Entity, isRegion, regionOf } from "./lift";
import { around } from "./scene";
import { sourceOf } from "./source_lines";

export interface DetailsEvents {
  readonly onBox: Goto;
  readonly onRegion: (region: number) => void;
}

export class Details {
  readonly element = h("div", { class: "gl-details", tabindex: 0 });

  constructor(
    private readonly doc: Doc,
    private readonly events: DetailsEvents,
  ) {}

  /** Show a box, a region, or the program as a whole. */
  show(entity: Entity | null): void {
    const { doc, events } = this;
    const whole = entity === null || (isRegion(entity) && doc.scene.regions[regionOf(entity)].kind !== "call");
    const region = entity === null ? 0 : isRegion(entity) ? regionOf(entity) : -1;
    const box = region >= 0 ? doc.scene.regions[region].owner : (entity as number);
    replace(this.element, ...(whole ? regionDetails(doc, region, events) : boxDetails(doc, box, events)));
    this.element.scrollTop = 0;
  }
}

function boxDetails(doc: Doc, box: number, events: DetailsEvents): (HTMLElement | null)[] {
  const sides = doc.sides(box);
  return [
    heading(doc, box, sides),
    crumbs(doc, box, events),
    doc.diff ? differencesOf(doc, box) : null,
    ...sources(doc, sides),
    argumentsOf(doc, box, sides, events.onBox),
    valueFacts(doc, sides),
    neighboursOf(doc, box, events.onBox),
    nestedOf(doc, box, events),
    metadataOf(doc, sides),
  ];
}

function heading(doc: Doc, box: number, sides: readonly Side[]): HTMLElement {
  const { label, role, key } = doc.scene.boxes[box];
  const t = doc.strings;
  const names = new Set(sides.map(({ program, node }) => t[program.nodes.name[node]]));
  const targets = new Set(sides.map(({ program, node }) => t[program.nodes.target[node]]));
  const ops = new Set(sides.map(({ program, node }) => t[program.nodes.op[node]]));
  return h(
    "header",
    { class: `gl-details-head gl-c-${categoryOf(role, label)}` },
    h("h2", { "data-key": key }, [...names].join(" → ")),
    h("div", { class: "gl-code gl-target" }, [...targets].join(" → ")),
    h(
      "div",
      { class: "gl-chips" },
      h("span", { class: "gl-chip" }, [...ops].join(" → ")),
      role !== "op" && h("span", { class: "gl-chip" }, role),
      doc.diff && h("span", { class: `gl-chip ${boxClass(doc, box)}` }, told(doc, box)),
      doc.match(box) && h("span", { class: "gl-chip", title: "What the match rests on" }, `matched: ${doc.match(box)}`),
    ),
  );
}

function told(doc: Doc, box: number): string {
  const mark = markOf(doc, box);
  const grade = gradeOf(doc, box);
  const side = sideOf(doc, box);
  const how = mark === "changed" && grade ? `: ${GRADES[grade]}` : "";
  return `${MARKS[mark].glyph} ${side ? `part of what was rewritten, in ${side}` : MARKS[mark].name}${how}`.trim();
}

/** The regions around a box as links, outermost first. */
function crumbs(doc: Doc, box: number, events: DetailsEvents): HTMLElement | null {
  const { scene } = doc;
  const { call, wrapper } = scene.boxes[box];
  const chain = around(scene, box)
    .filter((id) => id > 0 && id !== call && scene.regions[id].kind !== "repeat")
    .reverse();
  if (!chain.length && wrapper < 0) return null;
  const line = h("nav", { class: "gl-crumbs", "aria-label": "Regions around it" });
  for (const id of chain) {
    const link = h("button", { type: "button", class: "gl-link" }, scene.regions[id].label);
    link.addEventListener("click", () => events.onRegion(id));
    line.append(line.childNodes.length ? " › " : "", link);
  }
  if (wrapper >= 0) line.append(line.childNodes.length ? " › " : "", scene.regions[wrapper].label);
  const module = [wrapper, ...chain.slice().reverse()].find((id) => id >= 0 && scene.regions[id].kind === "module");
  if (module !== undefined) {
    const { path, type } = scene.regions[module];
    line.append(h("div", { class: "gl-module" }, `${path} `, h("span", {}, type)));
  }
  return line;
}

function differencesOf(doc: Doc, box: number): HTMLElement | null {
  const rows = doc.diff?.mismatches;
  if (!rows) return null;
  const t = doc.strings;
  const found = rows.box.flatMap((owner, row) => (owner === box ? [row] : []));
  if (!found.length) return null;
  const list = found.map((row) =>
    h(
      "li",
      { class: `gl-mismatch gl-v-${t[rows.severity[row]]}` },
      h(
        "div",
        {},
        h("b", {}, t[rows.field[row]]),
        ` ${t[rows.kind[row]]}`,
        h("span", { class: "gl-chip gl-severity" }, words(t[rows.severity[row]])),
      ),
      h("div", { class: "gl-side gl-side-a" }, h("b", {}, "a"), h("span", { class: "gl-code" }, t[rows.a[row]] || "–")),
      h("div", { class: "gl-side gl-side-b" }, h("b", {}, "b"), h("span", { class: "gl-code" }, t[rows.b[row]] || "–")),
    ),
  );
  return section("Differences", h("ul", { class: "gl-mismatches" }, ...list));
}

const words = (name: string) => name.replaceAll("_", " ");

function sources(doc: Doc, sides: readonly Side[]): (HTMLElement | null)[] {
  const found = sides.map(({ program, node }) => sourceOf(doc, program, node));
  if (found.length === 2 && found[0]?.textContent === found[1]?.textContent) found.pop();
  return found.map((source, i) => source && section(found.length > 1 ? `Source of ${"ab"[i]}` : "Source", source));
}

function argumentsOf(doc: Doc, box: number, sides: readonly Side[], goto: Goto): HTMLElement | null {
  const facts = joinFacts(sides.map(({ program, node }) => pairs(doc, program.nodes.args[node])));
  if (!facts.length) return null;
  const makers = sides.map(({ side, program }) => {
    const names = new Map<string, number>();
    for (const use of doc.scene.flow.into[box]) {
      if (use >= doc.scene.flow.ties) continue;
      const maker = doc.scene.flow.src[use];
      const node = doc.sides(maker).find((other) => other.side === side)?.node;
      if (node !== undefined) names.set(doc.strings[program.nodes.name[node]], maker);
    }
    return names;
  });
  return section(
    "Arguments",
    factTable(facts, (text, side) => linked(text, makers[side], goto)),
  );
}

function valueFacts(doc: Doc, sides: readonly Side[]): HTMLElement | null {
  const t = doc.strings;
  const facts = joinFacts(
    sides.map(({ program, node }) => {
      const value = program.values[program.nodes.value[node]];
      return value
        ? value.facets.map(([place, name, text]): [string, string] => [`${t[place]} ${t[name]}`.trim(), t[text]])
        : [];
    }),
  );
  if (!facts.length) return null;
  const used = new Set(
    facts
      .filter(({ name }) => name.endsWith("shape"))
      .flatMap(({ texts }) => texts.join(" ").match(/[A-Za-z]\w*/g) ?? []),
  );
  const symbols = sides[0].program.symbols.filter(({ name }) => used.has(name));
  const ranges = symbols.map(({ name, range, bound, hint }) =>
    h(
      "li",
      {},
      h("b", { class: "gl-code" }, name),
      ` in ${range}`,
      hint && `, was ${hint}`,
      bound && `, from ${bound}`,
    ),
  );
  return section(
    "Value",
    factTable(facts, (text) => h("span", { class: "gl-code" }, text)),
    ranges.length > 0 && h("ul", { class: "gl-symbols" }, ...ranges),
  );
}

function neighboursOf(doc: Doc, box: number, goto: Goto): HTMLElement | null {
  const { flow, boxes } = doc.scene;
  const links = (uses: readonly number[], end: Int32Array) => {
    const found = [...new Set(uses.map((use) => end[use]))];
    const shown = found
      .slice(0, 40)
      .map((other) => h("li", {}, boxLink(nodeName(doc, other), other, goto), ` ${boxes[other].label}`));
    if (found.length > shown.length) shown.push(h("li", {}, `and ${found.length - shown.length} more`));
    return h("ul", { class: "gl-links" }, ...shown);
  };
  const isTie = (use: number) => use >= flow.ties;
  const users = flow.outOf[box].filter((use) => !isTie(use));
  const inner = flow.outOf[box].filter(isTie);
  const outer = flow.into[box].filter(isTie);
  if (!users.length && !outer.length && !inner.length) return null;
  return section(
    users.length ? `Users` : "In nested graphs",
    users.length > 0 && links(users, flow.dst),
    outer.length > 0 && h("h4", {}, "Stands for the operand"),
    outer.length > 0 && links(outer, flow.src),
    inner.length > 0 && h("h4", {}, "In nested graphs it is"),
    inner.length > 0 && links(inner, flow.dst),
  );
}

function nestedOf(doc: Doc, box: number, events: DetailsEvents): HTMLElement | null {
  const { call } = doc.scene.boxes[box];
  if (call < 0) return null;
  const items = doc.scene.regions[call].children.map((id) => {
    const { label, size } = doc.scene.regions[id];
    const link = h("button", { type: "button", class: "gl-link" }, label);
    link.addEventListener("click", () => events.onRegion(id));
    return h("li", {}, link, ` ${size} nodes`);
  });
  return section("Nested graphs", h("ul", { class: "gl-links" }, ...items));
}

function metadataOf(doc: Doc, sides: readonly Side[]): HTMLElement | null {
  const facts = joinFacts(sides.map(({ program, node }) => pairs(doc, program.nodes.meta[node])));
  const ids = joinFacts(
    sides.map(({ program, node }) => [["graph", program.graphs[program.nodes.graph[node]] || "root"]]),
  );
  return section(
    "Metadata",
    factTable([...facts, ...ids], (text) => folding(text)),
  );
}
