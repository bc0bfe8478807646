// Finding boxes of a document.

import { markOf } from "./differences";
import type { Doc } from "./doc";
import { pairs } from "./doc";
import type { ProgramData } from "./payload";
import { compileQuery, type Searchable } from "./query";
import { around, shownBox } from "./scene";

/** The boxes that a query selects, in the program's order; none for an empty query. */
export function findBoxes(doc: Doc, query: string): number[] {
  if (!query.trim()) return [];
  const test = compileQuery(query);
  return doc.scene.boxes.filter((box) => test(new SearchableBox(doc, box.id))).map((box) => box.id);
}

/** The boxes that a diff is about, worst first, each where it is drawn; what follows from others is left out. */
export function differingBoxes(doc: Doc): number[] {
  const found = new Set<number>();
  for (const box of doc.diff?.mismatches.box ?? [])
    if (box >= 0 && markOf(doc, box) !== "inherited") found.add(shownBox(doc.scene, box));
  return [...found];
}

/** A box seen by the query language; texts are made when they are asked for. */
class SearchableBox implements Searchable {
  constructor(
    private readonly doc: Doc,
    private readonly box: number,
  ) {}

  words(): string[] {
    const t = this.doc.strings;
    return this.each(({ nodes, values, graphs }, i) => {
      const value = nodes.value[i];
      const found = [t[nodes.name[i]], t[nodes.target[i]], t[nodes.module[i]], graphs[nodes.graph[i]]];
      return value >= 0 ? [...found, t[values[value].text]] : found;
    });
  }

  field(name: string): string[] {
    const { doc, box } = this;
    const t = doc.strings;
    switch (name) {
      case "name":
        return this.each(({ nodes }, i) => [t[nodes.name[i]]]);
      case "op":
        return this.each(({ nodes }, i) => [t[nodes.op[i]], t[nodes.target[i]]]);
      case "target":
        return this.each(({ nodes }, i) => [t[nodes.target[i]]]);
      case "module":
        return [...this.regions("path"), ...this.each(({ nodes }, i) => [t[nodes.module[i]]])];
      case "type":
        return this.regions("type");
      case "graph":
        return this.each(({ nodes, graphs }, i) => [graphs[nodes.graph[i]] || "root"]);
      case "shape":
      case "device":
        return this.facets(name);
      case "dtype":
        return this.each(({ nodes, values }, i) =>
          nodes.value[i] < 0 ? [] : t[values[nodes.value[i]].dtype].split(" ").filter(Boolean),
        );
      case "value":
        return this.each(({ nodes, values }, i) => (nodes.value[i] < 0 ? [] : [t[values[nodes.value[i]].text]]));
      case "arg":
        return this.each(({ nodes }, i) => pairs(doc, nodes.args[i]).map(([, text]) => text));
      case "source":
        return this.each((program, i) => sourceTexts(doc, program, i));
      case "diff":
        return doc.diff ? [...new Set([doc.status(box), markOf(doc, box)])] : [];
      case "severity":
        return [doc.severity(box)];
      case "kind":
        return this.rows();
      default:
        return this.each(({ nodes }, i) =>
          pairs(doc, nodes.meta[i])
            .filter(([key]) => key.toLowerCase() === name)
            .map(([, text]) => text),
        );
    }
  }

  private each(texts: (program: ProgramData, node: number) => string[]): string[] {
    return this.doc.sides(this.box).flatMap(({ program, node }) => texts(program, node));
  }

  private regions(part: "path" | "type"): string[] {
    const { scene } = this.doc;
    const found = around(scene, this.box).map((id) => scene.regions[id]);
    const { wrapper } = scene.boxes[this.box];
    if (wrapper >= 0) found.push(scene.regions[wrapper]);
    return found.filter((region) => region.kind === "module").map((region) => region[part]);
  }

  private facets(name: string): string[] {
    const t = this.doc.strings;
    return this.each(({ nodes, values }, i) => {
      const value = nodes.value[i];
      return value < 0
        ? []
        : values[value].facets.filter(([, facet]) => t[facet] === name).map(([, , text]) => t[text]);
    });
  }

  private rows(): string[] {
    const { diff, strings } = this.doc;
    if (!diff) return [];
    return diff.mismatches.box.flatMap((box, row) => (box === this.box ? [strings[diff.mismatches.kind[row]]] : []));
  }
}

function sourceTexts(doc: Doc, { nodes, traces, frames }: ProgramData, node: number): string[] {
  const t = doc.strings;
  const trace = traces[nodes.trace[node]];
  if (!trace) return [];
  const file = (frame: number) => t[frames.file[frame]];
  const found = trace.frames.map((f) => `${file(f)}:${frames.line[f]} ${t[frames.function[f]]} ${t[frames.text[f]]}`);
  if (trace.user >= 0) {
    const user = trace.frames[trace.user];
    found.unshift(`${file(user).split(/[/\\]/).at(-1)}:${frames.line[user]}`);
  }
  return found;
}
