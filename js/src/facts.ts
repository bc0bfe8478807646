// Small building blocks of the details pane: sections, lists of facts for one or two sides, links to boxes.

import { type Child, h } from "./dom";

export type Goto = (box: number) => void;

/** A headed part of the details. */
export function section(title: string, ...children: Child[]): HTMLElement {
  return h("section", { class: "gl-section" }, h("h3", {}, title), ...children);
}

export interface Fact {
  readonly name: string;
  /** One text, or one per side of a diff; a side that has none is null. */
  readonly texts: readonly (string | null)[];
}

/** Join the facts of the sides of a box by name, in order of first appearance. */
export function joinFacts(sides: readonly (readonly (readonly [string, string])[])[]): Fact[] {
  const found = new Map<string, (string | null)[]>();
  sides.forEach((facts, side) => {
    for (const [name, text] of facts) {
      const texts = found.get(name) ?? sides.map(() => null);
      texts[side] = texts[side] === null ? text : `${texts[side]}\n${text}`;
      found.set(name, texts);
    }
  });
  return [...found].map(([name, texts]) => ({ name, texts }));
}

/** Show facts as a table; where two sides differ, both are shown and marked. */
export function factTable(facts: readonly Fact[], show: (text: string, side: number) => Node): HTMLElement {
  const rows = facts.map(({ name, texts }) => {
    const differ = texts.length > 1 && texts.some((text) => text !== texts[0]);
    const cell = h("td", {});
    if (differ) {
      texts.forEach((text, side) => {
        const body = text === null ? h("span", { class: "gl-none" }, "none") : show(text, side);
        cell.append(h("div", { class: `gl-side gl-side-${"ab"[side]}` }, h("b", {}, "ab"[side]), h("span", {}, body)));
      });
    } else {
      cell.append(show(texts.find((text) => text !== null) ?? "", texts[0] === null ? 1 : 0));
    }
    return h("tr", { class: differ ? "gl-differs" : undefined }, h("th", { scope: "row" }, name), cell);
  });
  return h("table", { class: "gl-facts" }, h("tbody", {}, ...rows));
}

/** A button that goes to a box. */
export function boxLink(text: string, box: number, goto: Goto): HTMLButtonElement {
  const link = h("button", { type: "button", class: "gl-link", "data-goto": box }, text);
  link.addEventListener("click", () => goto(box));
  return link;
}

/** Text in which the names of known nodes are links. */
export function linked(text: string, boxes: ReadonlyMap<string, number>, goto: Goto): HTMLElement {
  const line = h("span", { class: "gl-code" });
  for (const part of text.split(/([A-Za-z_]\w*)/)) {
    const box = boxes.get(part);
    if (box !== undefined) line.append(boxLink(part, box, goto));
    else if (part) line.append(part);
  }
  return line;
}

/** Long text folds away behind its beginning. */
export function folding(text: string, longest = 320): HTMLElement {
  const lines = text.split("\n");
  if (text.length < longest && lines.length < 8) return h("span", { class: "gl-code" }, text);
  const summary = h("summary", {}, `${text.slice(0, 60).split("\n")[0]}…`);
  return h("details", { class: "gl-fold" }, summary, h("span", { class: "gl-code" }, text));
}
