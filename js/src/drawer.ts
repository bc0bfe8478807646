// The tables under the drawing: a tab per table, one open at a time or none.

import { h, replace } from "./dom";
import { Table } from "./table";
import type { LinkedTable } from "./tables";
import { tabs } from "./tabs";

export class Drawer {
  readonly element = h("section", { class: "gl-drawer", "aria-label": "Tables" });
  private tables: readonly LinkedTable[] = [];
  private opened: { spec: LinkedTable; table: Table } | null = null;
  private box = -1;
  private life = new AbortController();

  constructor(
    private readonly onOpen: (title: string) => void,
    signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => this.life.abort());
  }

  /** Offer these tables and open one of them, "" for none. */
  show(tables: readonly LinkedTable[], title: string): void {
    this.tables = tables;
    this.element.hidden = !tables.length;
    this.render(title);
  }

  /** Open the next way: closed, or the first table. */
  toggle(): void {
    this.choose(this.opened ? "" : (this.tables[0]?.title ?? ""));
  }

  /** Mark the row of a box. */
  select(box: number): void {
    this.box = box;
    if (this.opened) this.opened.table.mark(box >= 0 ? this.opened.spec.rowOf(box, this.opened.table.current) : -1);
  }

  private choose(title: string): void {
    this.render(title);
    this.onOpen(title);
  }

  private render(title: string): void {
    this.life.abort();
    this.life = new AbortController();
    const { signal } = this.life;
    const spec = this.tables.find((table) => table.title === title) ?? null;
    const items = this.tables.map((table) => ({ label: table.title, note: String(table.rows) }));
    const index = spec ? this.tables.indexOf(spec) : -1;
    const strip = tabs("Tables", items, index, (i) => this.choose(i === index ? "" : this.tables[i].title), signal);
    const close = h(
      "button",
      { type: "button", class: "gl-icon-button", "aria-label": spec ? "Close the tables" : "Open the tables" },
      spec ? "▾" : "▴",
    );
    close.addEventListener("click", () => this.toggle(), { signal });
    this.opened = spec && { spec, table: new Table(spec, signal) };
    this.element.classList.toggle("gl-open", this.opened !== null);
    replace(this.element, h("div", { class: "gl-drawer-bar" }, strip, close), this.opened?.table.element);
    this.select(this.box);
  }
}
