// The search field with its results.

import { type Doc, nodeName } from "./doc";
import { button, h, icon, replace } from "./dom";
import { FIELDS, hint, QueryError } from "./query";
import { differingBoxes, findBoxes } from "./search";

export interface SearchEvents {
  /** What was found changed. */
  readonly onFound: (boxes: readonly number[]) => void;
  /** Go to one of them. */
  readonly onGo: (box: number) => void;
  readonly onQuery: (query: string) => void;
}

const SHOWN = 300;

export class SearchBox {
  readonly element: HTMLElement;
  readonly input = h("input", {
    type: "search",
    class: "gl-search-input",
    placeholder: "Search  (op:linear shape:64 /regex/)",
    "aria-label": "Search nodes",
    "aria-describedby": undefined,
    autocomplete: "off",
    spellcheck: "false",
    title: `Words, "phrases", /regular expressions/, -not, and ${FIELDS.map((field) => `${field}:`).join(" ")}`,
  });
  private readonly status = h("span", { class: "gl-search-status", role: "status" });
  private readonly list = h("ul", { class: "gl-results", role: "listbox", "aria-label": "Results", tabindex: -1 });
  private doc: Doc | null = null;
  /** The boxes that differ, worst first: what there is to go through while nothing is searched. */
  private differing: readonly number[] = [];
  private found: readonly number[] = [];
  private at = -1;
  private searched = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly events: SearchEvents,
    signal: AbortSignal,
  ) {
    const previous = button("Previous result", () => this.go(-1), {
      icon: icon("M4 10l4-4 4 4"),
      hint: "Previous result, or previous difference (p)",
      signal,
    });
    const next = button("Next result", () => this.go(1), {
      icon: icon("M4 6l4 4 4-4"),
      hint: "Next result, or next difference (n)",
      signal,
    });
    this.element = h("search", { class: "gl-search" }, this.input, this.status, previous, next, this.list);
    this.list.hidden = true;
    this.input.addEventListener("input", () => this.onInput(), { signal });
    this.input.addEventListener("keydown", (event) => this.onKey(event), { signal });
    this.input.addEventListener("focus", () => this.showList(true), { signal });
    this.list.addEventListener("mousedown", (event) => this.onPick(event), { signal });
    this.element.addEventListener("focusout", (event) => this.onBlur(event), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** Search another document, for the same or another query. */
  show(doc: Doc | null, query: string): void {
    this.doc = doc;
    this.differing = doc ? differingBoxes(doc) : [];
    this.element.hidden = doc === null;
    if (this.input.value !== query) this.input.value = query;
    this.search();
  }

  focus(): void {
    this.input.focus();
    this.input.select();
  }

  /** Go to the next (1) or previous (-1) result. */
  go(step: number): void {
    const stops = this.input.value.trim() ? this.found : this.differing;
    if (!stops.length) return;
    this.at = (this.at + step + stops.length + (this.at < 0 && step < 0 ? 1 : 0)) % stops.length;
    this.render();
    this.events.onGo(stops[this.at]);
  }

  private onInput(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.flush();
      this.showList(true);
    }, 120);
  }

  /** Search at once for what stands in the field. */
  private flush(): void {
    clearTimeout(this.timer);
    this.search();
    this.events.onQuery(this.input.value);
  }

  private search(): void {
    let problem = "";
    this.searched = this.input.value;
    try {
      this.found = this.doc ? findBoxes(this.doc, this.input.value) : [];
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      problem = error.message;
      this.found = [];
    }
    this.at = -1;
    this.input.setAttribute("aria-invalid", String(problem !== ""));
    this.render(problem);
    this.events.onFound(this.found);
  }

  private render(problem = ""): void {
    const why = problem || this.found.length ? "" : hint(this.input.value);
    const count = this.found.length;
    const place = this.at >= 0 ? `${this.at + 1} of ${count}` : count ? `${count} found` : "nothing found";
    const stop = this.at >= 0 ? `${this.at + 1} of ${this.differing.length} that differ` : "";
    this.status.textContent = problem || (this.input.value.trim() ? place : stop);
    this.status.title = problem || why;
    const { doc } = this;
    const items = doc ? this.found.slice(0, SHOWN).map((box, i) => this.item(doc, box, i)) : [];
    if (count > SHOWN) items.push(h("li", { class: "gl-note", role: "presentation" }, `and ${count - SHOWN} more`));
    if (problem || why) items.push(h("li", { class: "gl-note", role: "presentation" }, problem || why));
    replace(this.list, ...items);
    if (!items.length) this.showList(false);
    this.list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  private item(doc: Doc, box: number, i: number): HTMLLIElement {
    const { label, sub, key } = doc.scene.boxes[box];
    const place = key.slice(0, key.lastIndexOf("/") + 1);
    return h(
      "li",
      { role: "option", "data-result": i, "aria-selected": i === this.at ? "true" : "false" },
      h("b", {}, nodeName(doc, box)),
      ` ${label}`,
      h("span", { class: "gl-note" }, `${sub}  ${place}`),
    );
  }

  private showList(show: boolean): void {
    this.list.hidden = !show || !this.list.childElementCount;
  }

  private onPick(event: Event): void {
    const text = (event.target as Element).closest<HTMLElement>("[data-result]")?.dataset.result;
    if (text === undefined) return;
    event.preventDefault();
    this.at = Number(text) - 1;
    this.go(1);
    this.showList(false);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === "Enter" || event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.input.value !== this.searched) this.flush();
      this.go(event.key === "ArrowUp" || event.shiftKey ? -1 : 1);
      this.showList(event.key !== "Enter");
    } else if (event.key === "Escape") {
      if (this.input.value) {
        this.input.value = "";
        this.onInput();
      } else {
        this.input.blur();
      }
    } else {
      return;
    }
    event.stopPropagation();
  }

  private onBlur(event: FocusEvent): void {
    if (!this.element.contains(event.relatedTarget as Node | null)) this.showList(false);
  }
}
