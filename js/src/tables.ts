// The tables of a section and of what it shows, as specifications for `Table`.

import type { Doc } from "./doc";
import type { Table as TableData } from "./payload";
import type { TableColumn, TableSpec } from "./table";

/** A table with a way from boxes to rows and back. */
export interface LinkedTable extends TableSpec {
  /** The row of a box, -1 for none; where several are, the one given as `near` if it is among them. */
  readonly rowOf: (box: number, near: number) => number;
}

/** A table of the payload as it is; a row that leads to a box selects it. */
export function plainTable(data: TableData, strings: readonly string[], onBox: (box: number) => void): LinkedTable {
  const { boxes } = data;
  const cell = (row: number, column: number) => strings[data.columns[column].cells[row]] ?? "";
  const names = data.columns.map((column) => column.name);
  return {
    title: data.title,
    note: data.note,
    columns: data.columns,
    rows: data.columns[0]?.cells.length ?? 0,
    cell,
    cellClass: (row, column) => (CODED.has(names[column]) ? `gl-v-${cell(row, column)}` : ""),
    wide: (column) => WIDE.has(names[column]),
    onRow: (row) => {
      if (boxes[row] >= 0) onBox(boxes[row]);
    },
    rowOf: (wanted, near) => (wanted < 0 ? -1 : boxes[near] === wanted ? near : boxes.indexOf(wanted)),
  };
}

/** Columns whose words have a colour. */
const CODED = new Set(["severity", "status", "equal", "kind"]);

/** Columns whose texts are sentences, shown as far as there is room. */
const WIDE = new Set(["what", "pattern"]);

const TEXT = (name: string): TableColumn => ({ name, type: "text" });

/** The differences of a diff, one per row; choosing one selects its box. */
export function mismatchTable(doc: Doc, onBox: (box: number) => void): LinkedTable | null {
  const { diff, strings } = doc;
  if (!diff) return null;
  const { box, ...texts } = diff.mismatches;
  const names = [
    "severity",
    "kind",
    "field",
    "node_a",
    "node_b",
    "a",
    "b",
    "target",
    "module",
    "source",
    "graph",
    "cause",
  ] as const;
  const cell = (row: number, column: number) => strings[texts[names[column]][row]] ?? "";
  const dropped = diff.dropped ? `The ${box.length} worst rows; ${diff.dropped} more are in Diff.mismatches.` : "";
  return {
    title: "Mismatches",
    note: dropped,
    columns: names.map(TEXT),
    rows: box.length,
    cell,
    cellClass: (row, column) => (CODED.has(names[column]) ? `gl-v-${cell(row, column)}` : ""),
    onRow: (row) => {
      if (box[row] >= 0) onBox(box[row]);
    },
    rowOf: (wanted, near) => (box[near] === wanted ? near : box.indexOf(wanted)),
  };
}

/** Every node, one per row; choosing one selects it. */
export function nodeTable(doc: Doc, onBox: (box: number) => void): LinkedTable {
  const t = doc.strings;
  const columns = [TEXT("name"), TEXT("op"), TEXT("target"), TEXT("value"), TEXT("module"), TEXT("graph")];
  if (doc.diff) columns.unshift(TEXT("diff"));
  const cell = (row: number, column: number): string => {
    const kind = columns[column].name;
    if (kind === "diff") return doc.status(row).replace("_", " ");
    const [side] = doc.sides(row);
    if (!side) return "";
    const { nodes, values, graphs } = side.program;
    const node = side.node;
    if (kind === "value") return nodes.value[node] >= 0 ? t[values[nodes.value[node]].text] : "";
    if (kind === "graph") return graphs[nodes.graph[node]] || "root";
    return t[nodes[kind as "name" | "op" | "target" | "module"][node]];
  };
  return {
    title: "Nodes",
    note: "",
    columns,
    rows: doc.scene.boxes.length,
    cell,
    cellClass: (row, column) => (columns[column].name === "diff" ? `gl-s-${doc.status(row)}` : ""),
    onRow: onBox,
    rowOf: (box) => box,
  };
}

/** All tables about a document, the one to open first in front. */
export function tablesOf(
  doc: Doc | null,
  section: readonly TableData[],
  strings: readonly string[],
  onBox: (box: number) => void,
): LinkedTable[] {
  const plain = (table: TableData) => plainTable(table, strings, onBox);
  const own = section.map(plain);
  if (!doc) return distinct(own, "");
  const mismatches = mismatchTable(doc, onBox);
  const data = doc.diff ? doc.diff.tables : doc.programs[0].program.tables;
  const summary = doc.diff ? [plain(doc.diff.summary)] : [];
  const all = [...summary, ...(mismatches ? [mismatches] : []), ...own, ...data.map(plain), nodeTable(doc, onBox)];
  return distinct(
    all.filter((table) => table.rows > 0 || table === mismatches),
    doc.label,
  );
}

/** A title stands for one table: a second of the same title says what it is about. */
function distinct(tables: readonly LinkedTable[], label: string): LinkedTable[] {
  const seen = new Set<string>();
  return tables.map((table, i) => {
    const title = seen.has(table.title) ? `${table.title} of ${label || i + 1}` : table.title;
    seen.add(title);
    return { ...table, title };
  });
}
