// A real table that can be sorted, filtered and walked by keys, and that draws only the rows in sight.

import { h, replace } from "./dom";

export interface TableColumn {
  readonly name: string;
  readonly type: "text" | "number" | "bool";
}

export interface TableSpec {
  readonly title: string;
  readonly note: string;
  readonly columns: readonly TableColumn[];
  readonly rows: number;
  readonly cell: (row: number, column: number) => string;
  /** A class for a cell, as for a severity. */
  readonly cellClass?: (row: number, column: number) => string;
  /** Whether a column holds sentences, which are not cut off. */
  readonly wide?: (column: number) => boolean;
  /** Called with a row that was chosen. */
  readonly onRow?: (row: number) => void;
}

const ROW = 25;
const SPARE = 12;

export class Table {
  readonly element: HTMLElement;
  private readonly body = h("tbody");
  private readonly scroller: HTMLElement;
  private readonly heads: HTMLTableCellElement[];
  private readonly status = h("span", { class: "gl-table-status", role: "status" });
  private order: number[];
  private sorted: { column: number; down: boolean } | null = null;
  private filter = "";
  /** The marked row, -1 for none. */
  current = -1;

  constructor(
    private readonly spec: TableSpec,
    signal: AbortSignal,
  ) {
    this.order = Array.from({ length: spec.rows }, (_, i) => i);
    this.heads = spec.columns.map((column, i) => this.head(column, i, signal));
    const caption = h("caption", { class: "gl-hidden" }, spec.title);
    const table = h("table", { class: "gl-table", "aria-rowcount": spec.rows + 1 }, caption);
    table.append(h("thead", {}, h("tr", {}, ...this.heads)), this.body);
    this.scroller = h(
      "div",
      { class: "gl-table-scroll", tabindex: 0, role: "region", "aria-label": spec.title },
      table,
    );
    const filter = h("input", {
      type: "search",
      class: "gl-filter",
      placeholder: "Filter rows",
      "aria-label": "Filter rows",
    });
    filter.addEventListener("input", () => this.setFilter(filter.value), { signal });
    const bar = h(
      "div",
      { class: "gl-table-bar" },
      this.status,
      spec.note && h("span", { class: "gl-note" }, spec.note),
    );
    if (spec.rows > 8) bar.append(filter);
    this.element = h("div", { class: "gl-table-pane" }, bar, this.scroller);
    this.scroller.addEventListener("scroll", () => this.render(), { signal, passive: true });
    this.body.addEventListener("click", (event) => this.onClick(event), { signal });
    this.scroller.addEventListener("keydown", (event) => this.onKey(event), { signal });
    const resized = new ResizeObserver(() => this.render());
    resized.observe(this.scroller);
    signal.addEventListener("abort", () => resized.disconnect());
    this.render();
  }

  /** Mark a row and bring it into sight; -1 for none. */
  mark(row: number): void {
    if (row === this.current) return;
    this.current = row;
    const at = this.order.indexOf(row);
    if (at >= 0) {
      const top = at * ROW;
      const { scrollTop, clientHeight } = this.scroller;
      if (top < scrollTop || top + 2 * ROW > scrollTop + clientHeight) this.scroller.scrollTop = top - clientHeight / 2;
    }
    this.render();
  }

  private head(column: TableColumn, index: number, signal: AbortSignal): HTMLTableCellElement {
    const sort = h("button", { type: "button", class: "gl-sort" }, column.name);
    sort.addEventListener("click", () => this.sortBy(index), { signal });
    return h("th", { scope: "col", class: `gl-cell-${column.type}` }, sort);
  }

  private sortBy(column: number): void {
    const down = this.sorted?.column === column && !this.sorted.down;
    this.sorted = { column, down };
    this.heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.arrange();
  }

  private setFilter(text: string): void {
    this.filter = text.toLowerCase();
    this.arrange();
  }

  private arrange(): void {
    const { rows, columns, cell } = this.spec;
    const matches = (row: number) => columns.some((_, i) => cell(row, i).toLowerCase().includes(this.filter));
    this.order = Array.from({ length: rows }, (_, i) => i).filter((row) => !this.filter || matches(row));
    if (this.sorted) {
      const { column, down } = this.sorted;
      const compare = comparer(columns[column].type);
      const sign = down ? -1 : 1;
      this.order.sort((a, b) => sign * compare(cell(a, column), cell(b, column)) || a - b);
    }
    this.scroller.scrollTop = 0;
    this.render();
  }

  private render(): void {
    const { spec, order } = this;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - SPARE);
    const last = Math.min(order.length, first + Math.ceil((this.scroller.clientHeight || 300) / ROW) + 2 * SPARE);
    const rows = order.slice(first, last).map((row, i) => this.row(row, first + i));
    replace(this.body, spacer(first, spec.columns.length), ...rows, spacer(order.length - last, spec.columns.length));
    const all = `${spec.rows} row${spec.rows === 1 ? "" : "s"}`;
    this.status.textContent = this.filter ? `${order.length} of ${all}` : all;
  }

  private row(row: number, at: number): HTMLTableRowElement {
    const { spec } = this;
    const cells = spec.columns.map((column, i) => {
      const text = spec.cell(row, i);
      const extra = spec.cellClass?.(row, i) ?? "";
      const wide = spec.wide?.(i) ? "gl-wide" : "";
      return h(
        "td",
        { class: `gl-cell-${column.type} ${extra} ${wide}`.trim(), title: text.length > 24 ? text : undefined },
        text,
      );
    });
    const selected = row === this.current;
    return h(
      "tr",
      { "data-row": row, "aria-rowindex": at + 2, "aria-current": selected ? "true" : undefined },
      ...cells,
    );
  }

  private onClick(event: Event): void {
    const text = (event.target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
    if (text !== undefined) this.choose(Number(text));
  }

  private choose(row: number): void {
    this.mark(row);
    this.spec.onRow?.(row);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.target !== this.scroller) return;
    const at = this.order.indexOf(this.current);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: this.order.length - 1,
      PageDown: at + 10,
      PageUp: at - 10,
    };
    const to = moves[event.key];
    if (to === undefined || !this.order.length) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.order[Math.min(this.order.length - 1, Math.max(0, to))]);
  }
}

function spacer(rows: number, columns: number): HTMLTableRowElement | null {
  if (rows <= 0) return null;
  const cell = h("td", { colspan: columns });
  cell.style.height = `${rows * ROW}px`;
  return h("tr", { "aria-hidden": "true", class: "gl-spacer" }, cell);
}

function comparer(type: TableColumn["type"]): (a: string, b: string) => number {
  if (type !== "number") return (a, b) => a.localeCompare(b, "en", { numeric: true });
  const value = (text: string) => (text === "" || Number.isNaN(Number(text)) ? Number.NEGATIVE_INFINITY : Number(text));
  return (a, b) => {
    const [left, right] = [value(a), value(b)];
    return left === right ? 0 : left < right ? -1 : 1;
  };
}
