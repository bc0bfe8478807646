// What boxes and regions say, and how much room that takes.

import { type Doc, nodeName, pairs } from "./doc";
import { BORDER, type Entity, isRegion, regionOf } from "./lift";
import { fitText, textWidth } from "./measure";
import type { Tag } from "./tags";

export const TITLE = 13;
export const SMALL = 11;
const LINE = 15;
const WIDEST = 208;
const TEXT_WIDEST = 172;
const MOST_LINES = 4;

export interface Line {
  readonly kind: "module" | "text" | "folded" | "tag";
  readonly text: string;
  /** Box that it leads to, -1 for none. */
  readonly box: number;
}

export interface Content {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly width: number;
  readonly height: number;
}

/** Where the parts of a box stand; drawing and measuring share it. */
export const BOX = { left: 14, right: 12, top: 9, line: LINE, title: 17, chevron: 14 } as const;

/** Arguments that say where and how a tensor lies: in the details, not in the box. */
const PLACE = new Set(["device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"]);

/** What a box or closed region shows. */
export function contentOf(doc: Doc, entity: Entity, tags: readonly Tag[]): Content {
  const region = isRegion(entity) ? doc.scene.regions[regionOf(entity)] : null;
  const title = region ? region.label : doc.scene.boxes[entity].label;
  const own: Line[] = region ? [{ kind: "text", text: regionLine(doc, region.id), box: -1 }] : boxLines(doc, entity);
  const lines = clipLines([...own, ...tags.map((tag) => tagLine(doc, tag))]);
  const indent = region ? BOX.chevron : 0;
  const shownTitle = fitText(title, TITLE, WIDEST, true);
  const shown = lines.map((line) => ({
    ...line,
    text: fitText(line.text, SMALL, line.kind === "text" ? TEXT_WIDEST : WIDEST, false, line.kind !== "text"),
  }));
  const widths = [textWidth(shownTitle, TITLE, true), ...shown.map(lineWidth)];
  return {
    title: shownTitle,
    lines: shown,
    width: Math.ceil(Math.max(36, ...widths)) + BOX.left + indent + BOX.right,
    height: BOX.top * 2 + BOX.title + shown.length * LINE - (shown.length ? 1 : 5),
  };
}

const lineWidth = (line: Line) => textWidth(line.text, SMALL) + (line.kind === "tag" ? 12 : 0);

/** Room that the header of an open region needs. */
export function headerWidth(doc: Doc, region: number): number {
  const { label } = doc.scene.regions[region];
  return Math.min(420, textWidth(label, TITLE, true) + textWidth(regionLine(doc, region), SMALL) + 72);
}

/** What stands under the name of a region. */
export function regionLine(doc: Doc, region: number): string {
  const { kind, type, size, children } = doc.scene.regions[region];
  const count = `${size} node${size === 1 ? "" : "s"}`;
  if (kind === "repeat") return `${type} ×${children.length}`;
  if (kind === "call") return children.map((child) => doc.scene.regions[child].label).join(" | ");
  return type ? `${type} · ${count}` : count;
}

function boxLines(doc: Doc, box: number): Line[] {
  const lines: Line[] = [];
  const { wrapper } = doc.scene.boxes[box];
  if (wrapper >= 0) lines.push({ kind: "module", text: doc.scene.regions[wrapper].label, box: -1 });
  const text = doc.scene.boxes[box].role === "output" ? "" : literals(doc, box);
  if (text) lines.push({ kind: "text", text, box: -1 });
  for (const use of doc.scene.flow.into[box]) {
    const maker = doc.scene.boxes[doc.scene.flow.src[use]];
    if (!maker.folded || maker.role === "subgraph" || use >= doc.scene.flow.ties) continue;
    const slot = doc.scene.flow.slot[use];
    const name = /^arg\d/.test(slot) ? maker.label.slice(maker.label.lastIndexOf(".") + 1) : slot;
    lines.push({ kind: "folded", text: maker.sub ? `${name}  ${maker.sub}` : name, box: maker.id });
  }
  return lines;
}

/** The arguments of a box that are no values of other nodes, `dim=-1, keepdim=True`. */
function literals(doc: Doc, box: number): string {
  const [first] = doc.sides(box);
  const { label } = doc.scene.boxes[box];
  if (!first || label.startsWith("getitem[")) return "";
  const used = doc.scene.flow.into[box]
    .filter((use) => use < doc.scene.flow.ties)
    .map((use) => doc.scene.flow.slot[use]);
  const usesValue = (name: string) =>
    used.some((slot) => slot === name || slot.startsWith(`${name}[`) || slot.startsWith(`${name}.`));
  return pairs(doc, first.program.nodes.args[first.node])
    .filter(([name]) => !usesValue(name) && !PLACE.has(name))
    .map(([name, text]) => [name, text.replace(/^torch\./, "")])
    .map(([name, text]) => (/^arg\d+$/.test(name) ? text : `${name}=${text}`))
    .join(", ");
}

function tagLine(doc: Doc, tag: Tag): Line {
  return { kind: "tag", text: makerName(doc, tag), box: tag.values.values().next().value ?? -1 };
}

/** The name of what makes a value, as its reader sees it. */
export function makerName(doc: Doc, tag: Tag): string {
  const [value] = tag.values;
  if (tag.at !== BORDER && isRegion(tag.at)) return doc.scene.regions[regionOf(tag.at)].label;
  return tag.values.size > 1 ? `${tag.values.size} values` : nodeName(doc, value);
}

function clipLines(lines: readonly Line[]): Line[] {
  if (lines.length <= MOST_LINES) return [...lines];
  const rest = lines.length - MOST_LINES + 1;
  return [...lines.slice(0, MOST_LINES - 1), { kind: "text", text: `+ ${rest} more`, box: -1 }];
}
