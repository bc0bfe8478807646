// The SVG of boxes, frames, lines and tags.

import { categoryOf } from "./category";
import { BOX, headerWidth, regionLine, SMALL, TITLE } from "./content";
import { boxClass, type Differences, MARKS, type Mark, markOf, tallyClass, tallyText } from "./differences";
import { type Doc, nodeName } from "./doc";
import { s, shown } from "./dom";
import type { Label } from "./edge_labels";
import { pathData } from "./geometry";
import { BORDER, isRegion, regionEntity, regionOf } from "./lift";
import { fitText, textWidth } from "./measure";
import type { Frame, Pill, Shape, Wire } from "./picture";

export interface Drawing {
  readonly doc: Doc;
  readonly counts: Differences;
  /** Prefix of element ids, unique on the page. */
  readonly prefix: string;
}

const RADIUS = 7;
const CHEVRON = "M-3.5 -4.5L2 0L-3.5 4.5";

/** Draw a box or a closed region. */
export function drawShape(drawing: Drawing, shape: Shape): SVGGElement {
  const { doc, counts, prefix } = drawing;
  const { entity, width, height, content } = shape;
  const region = isRegion(entity) ? doc.scene.regions[regionOf(entity)] : null;
  const box = region ? null : doc.scene.boxes[entity];
  const look = lookOf(drawing, entity);
  const kind = box ? `gl-box gl-${box.role} gl-c-${categoryOf(box.role, box.label)}` : `gl-closed gl-r-${region?.kind}`;
  const name = [content.title, ...content.lines.map((line) => line.text), box?.sub].filter(Boolean).join(", ");
  const severity = box ? doc.severity(box.id).replace("_", " ") : "";
  const mark = look.mark === "same" ? "" : `, ${[MARKS[look.mark].name, severity].filter(Boolean).join(" ")}`;
  const group = s("g", {
    class: `gl-shape ${kind} ${look.class}`,
    id: `${prefix}${entity}`,
    "data-entity": entity,
    role: "img",
    "aria-label": `${region ? "region " : ""}${name}${mark}${region ? ", collapsed" : ""}`,
    transform: `translate(${round(shape.x)} ${round(shape.y)})`,
  });
  group.append(s("title", {}, fullText(drawing, shape)));
  const pill = box?.role === "input" || box?.role === "output";
  const rx = pill ? Math.min(16, height / 2) : RADIUS;
  if (region?.kind === "repeat") {
    for (const step of [8, 4])
      group.append(s("rect", { class: "gl-card gl-behind", x: step, y: step, width, height, rx }));
  }
  group.append(s("rect", { class: "gl-card", width, height, rx }));
  if (box && !pill) group.append(s("rect", { class: "gl-accent", x: 5, y: 8, width: 3, height: height - 16, rx: 1.5 }));
  let left: number = BOX.left;
  if (region) {
    group.append(chevron(left, BOX.top + 8.5, "M-3.5 -4.5L2 0L-3.5 4.5"));
    left += BOX.chevron;
  }
  group.append(
    s("text", { class: "gl-title", x: left, y: BOX.top + (content.lines.length ? 13 : 11.5) }, content.title),
  );
  content.lines.forEach((line, i) => {
    const y = BOX.top + BOX.title + 12 + i * BOX.line;
    const text = s("text", {
      class: `gl-line gl-line-${line.kind}`,
      x: line.kind === "tag" ? left + 12 : left,
      y,
    });
    text.append(shown(line.text));
    if (line.kind === "tag")
      group.append(s("path", { class: "gl-tag-arrow", d: `M${left + 4} ${y}v-8m-3 3l3 -3l3 3` }));
    if (line.box >= 0) text.dataset.box = String(line.box);
    group.append(text);
  });
  const badge = region ? countBadge(counts, region.id, width) : statusBadge(look.mark, width);
  if (badge) group.append(badge);
  return group;
}

/** Draw the frame of an open region: border, header, name. */
export function drawFrame(drawing: Drawing, frame: Frame): SVGGElement {
  const { doc, counts, prefix } = drawing;
  const region = doc.scene.regions[frame.region];
  const entity = regionEntity(region.id);
  const { width, height } = frame;
  const look = lookOf(drawing, entity);
  const title = fitText(region.label, TITLE, width - 60, true);
  const used = 30 + textWidth(title, TITLE, true);
  const note = region.kind === "call" ? "" : regionLine(doc, region.id);
  const room = headerWidth(doc, region.id) <= width ? 1e6 : width - used - 40;
  const group = s(
    "g",
    {
      class: `gl-frame gl-r-${region.kind} gl-d${frame.depth % 2} ${look.class}`,
      id: `${prefix}${entity}`,
      "data-entity": entity,
      role: "img",
      "aria-label": `region ${region.label}, ${regionLine(doc, region.id)}, expanded`,
      transform: `translate(${round(frame.x)} ${round(frame.y)})`,
    },
    s("rect", { class: "gl-pane", width, height, rx: 10 }),
    s("path", { class: "gl-header", d: `M0 30V10a10 10 0 0 1 10 -10H${width - 10}a10 10 0 0 1 10 10V30z` }),
    chevron(15, 15, "M-4.5 -2.5L0 3L4.5 -2.5"),
    s("text", { class: "gl-title", x: 27, y: 19.5 }, title),
    room > 40 && s("text", { class: "gl-line", x: used + 6, y: 19.5 }, fitText(note, SMALL, room)),
  );
  for (const { text, x } of frame.portNames) {
    if (x - textWidth(text, SMALL) / 2 < used + 8) continue;
    group.append(s("text", { class: "gl-line gl-port", x: round(x), y: 19.5, "text-anchor": "middle" }, text));
  }
  const badge = region.kind === "call" ? statusBadge(look.mark, width) : countBadge(counts, region.id, width);
  if (badge) group.append(badge);
  return group;
}

/** Draw a line with its arrow head and label. */
export function drawWire({ doc, prefix }: Drawing, wire: Wire, label: Label | null): SVGGElement {
  const sides = new Set(wire.link.uses.filter((use) => use < doc.scene.flow.ties).map(doc.useSide));
  const side = sides.size === 1 ? [...sides][0] : "both";
  const group = s(
    "g",
    { class: `gl-wire gl-side-${side}`, "aria-hidden": "true" },
    s("path", {
      class: "gl-line-path",
      d: pathData(wire.points),
      "marker-end": wire.link.head.at === BORDER ? undefined : `url(#${prefix}arrow)`,
    }),
  );
  if (label) group.append(s("text", { class: "gl-label", x: round(label.x), y: round(label.y) }, label.text));
  return group;
}

/** Draw the name of a value that comes from far away, in the header of a region that uses it. */
export function drawPill(pill: Pill): SVGGElement {
  const { width, height } = pill;
  const group = s(
    "g",
    {
      class: "gl-pill",
      "data-box": pill.box,
      "aria-hidden": "true",
      transform: `translate(${round(pill.x)} ${round(pill.y)})`,
    },
    s("rect", { width, height, rx: height / 2 }),
    s("path", { class: "gl-tag-arrow", d: "M10 13v-8m-3 3l3 -3l3 3" }),
    s("text", { class: "gl-line", x: 16, y: 13 }, pill.text),
  );
  return group;
}

/** What a pointer that rests on a box is told: names without abbreviation. */
function fullText({ doc, counts }: Drawing, { entity }: Shape): string {
  if (isRegion(entity)) {
    const region = doc.scene.regions[regionOf(entity)];
    const { words } = counts[region.id];
    return [region.path || region.label, regionLine(doc, region.id), words].filter(Boolean).join("\n");
  }
  const { label, sub } = doc.scene.boxes[entity];
  return [nodeName(doc, entity), label, sub].filter(Boolean).join("\n");
}

interface Look {
  readonly mark: Mark;
  readonly class: string;
}

/** How a box looks, or a region: a call as its box, a region that one side has as a whole as that. */
function lookOf({ doc, counts }: Drawing, entity: number): Look {
  const region = isRegion(entity) ? doc.scene.regions[regionOf(entity)] : null;
  if (region && region.kind !== "call") {
    const { mark } = counts[region.id];
    return mark === "changed" ? PLAIN : { mark, class: `gl-s-${mark}` };
  }
  const box = region ? region.owner : entity;
  return { mark: markOf(doc, box), class: boxClass(doc, box) };
}

const PLAIN: Look = { mark: "same", class: "gl-s-same" };

function statusBadge(mark: Mark, width: number): SVGGElement | null {
  const { glyph } = MARKS[mark];
  if (!glyph) return null;
  return s(
    "g",
    { class: "gl-badge", transform: `translate(${round(width - 3)} 3)` },
    s("circle", { r: 8.5 }),
    s("text", { y: 4, "text-anchor": "middle" }, glyph),
  );
}

function countBadge(counts: Differences, region: number, width: number): SVGGElement | null {
  const tally = counts[region];
  if (!tally.count) return null;
  const text = tallyText(tally);
  const wide = textWidth(text, SMALL, true) + 14;
  return s(
    "g",
    { class: `gl-badge gl-count ${tallyClass(tally)}`, transform: `translate(${round(width - wide + 6)} -6)` },
    s("title", {}, tally.words),
    s("rect", { width: wide, height: 17, rx: 8.5 }),
    s("text", { x: wide / 2, y: 12.5, "text-anchor": "middle" }, text),
  );
}

function chevron(x: number, y: number, d: string = CHEVRON): SVGGElement {
  return s(
    "g",
    { class: "gl-chevron", "data-toggle": "", transform: `translate(${x} ${y})` },
    s("rect", { x: -10, y: -10, width: 20, height: 20 }),
    s("path", { d }),
  );
}

const round = (value: number) => Math.round(value * 10) / 10;
