import { beforeEach, describe, expect, it } from "vitest";
import { Details } from "./details";
import { Outline } from "./outline";
import { SearchBox } from "./searchbox";
import { Table } from "./table";
import { nodeTable, plainTable, tablesOf } from "./tables";
import { docOf, NESTED, nestedDoc } from "./testing";

const { signal } = new AbortController();
const text = (element: Element | null) => element?.textContent ?? "";

beforeEach(() => document.body.replaceChildren());

describe("details", () => {
  const doc = nestedDoc();
  const box = (key: string) => doc.scene.boxByKey.get(key) as number;
  const gone: number[] = [];
  const details = new Details(doc, { onBox: (id) => gone.push(id), onRegion: () => {} });

  it("tell what is known of a node, the user's line first", () => {
    details.show(box("linear1"));
    const { element } = details;
    expect(text(element.querySelector("h2"))).toBe("linear1");
    expect(text(element)).toContain("aten.linear.default");
    expect(text(element.querySelector(".gl-crumbs"))).toContain("layers.1 › proj");
    expect(text(element.querySelector(".gl-frame-head"))).toContain("model.py:");
    expect(text(element)).toContain("in [2, 64]");
  });

  it("lead from an argument to what made it", () => {
    details.show(box("linear1"));
    const link = [...details.element.querySelectorAll<HTMLElement>("[data-goto]")].find((el) => text(el) === "relu0");
    link?.click();
    expect(gone).toEqual([box("relu0")]);
  });

  it("say what a placeholder of a nested graph stands for", () => {
    details.show(box("cond.true_fn/a"));
    expect(text(details.element)).toContain("Stands for the operand");
    expect(text(details.element)).toContain("relu2");
  });

  it("are about the program when nothing is selected", () => {
    details.show(null);
    expect(text(details.element)).toContain("40 in 6 graphs");
    expect(text(details.element)).toContain("s77");
  });

  it("show hostile text as text", () => {
    const name = '<img src=x onerror="window.__pwn=1"><script>window.__pwn=1</script>';
    const evil = docOf([{ key: name, label: name, sub: name }]);
    const pane = new Details(evil, { onBox: () => {}, onRegion: () => {} });
    document.body.append(pane.element);
    pane.show(0);
    expect(text(pane.element.querySelector("h2"))).toBe(name);
    expect(document.querySelectorAll("img, script").length).toBe(0);
  });

  it("write out what would turn text around or hide it", () => {
    const name = "a\u202eb\u001b[31m\u2066c";
    const pane = new Details(docOf([{ key: name, label: name, sub: name }]), { onBox: () => {}, onRegion: () => {} });
    pane.show(0);
    expect(text(pane.element.querySelector("h2"))).toBe("a\\u202eb\\u001b[31m\\u2066c");
    expect(text(pane.element)).not.toMatch(/[\u202e\u2066]/);
  });
});

describe("the outline", () => {
  const doc = nestedDoc();
  const items = (outline: Outline) => [...outline.element.querySelectorAll("[role=treeitem]")];

  it("is an ARIA tree that keys walk", () => {
    const selected: number[] = [];
    const outline = new Outline(doc, { onSelect: (entity) => selected.push(entity), onToggle: () => {} }, [0], signal);
    document.body.append(outline.element);
    expect(items(outline).map((item) => item.getAttribute("aria-level"))).toEqual(["1", "2", "2", "2", "2"]);
    const press = (key: string) => outline.element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    for (const key of ["End", "ArrowRight", "ArrowRight", "Enter"]) press(key);
    expect(doc.scene.regions[-1 - selected[0]].key).toBe("cond.true_fn#");
    press("ArrowLeft");
    press("ArrowLeft");
    expect(items(outline).length).toBe(5);
  });

  it("opens down to what is selected", () => {
    const outline = new Outline(doc, { onSelect: () => {}, onToggle: () => {} }, [0], signal);
    document.body.append(outline.element);
    outline.select(doc.scene.boxByKey.get("cond.true_fn/map_impl.f/cond.true_fn/add") as number);
    const current = outline.element.querySelector('[aria-selected="true"]');
    expect(current?.getAttribute("aria-level")).toBe("7");
    expect(text(current)).toContain("true_fn");
  });
});

describe("tables", () => {
  const rows = (table: Table) =>
    [...table.element.querySelectorAll("tbody tr[data-row]")].map((row) => text(row.querySelector("td")));

  it("sort numbers as numbers, filter, and choose", () => {
    const cells = ["10", "9", "", "100", "8", "7", "6", "5", "4", "3"];
    const chosen: number[] = [];
    const spec = {
      ...{ title: "T", note: "", rows: cells.length, columns: [{ name: "n", type: "number" as const }] },
      ...{ cell: (row: number) => cells[row], onRow: (row: number) => chosen.push(row) },
    };
    const table = new Table(spec, signal);
    document.body.append(table.element);
    const sort = table.element.querySelector<HTMLElement>(".gl-sort");
    sort?.click();
    expect(rows(table)).toEqual(["", "3", "4", "5", "6", "7", "8", "9", "10", "100"]);
    sort?.click();
    expect(rows(table)[0]).toBe("100");
    expect(table.element.querySelector("th")?.getAttribute("aria-sort")).toBe("descending");
    const filter = table.element.querySelector("input") as HTMLInputElement;
    filter.value = "10";
    filter.dispatchEvent(new Event("input"));
    expect(rows(table)).toEqual(["100", "10"]);
    table.element.querySelector<HTMLElement>("tbody tr[data-row] td")?.click();
    expect(chosen).toEqual([3]);
  });

  it("draw only the rows in sight", () => {
    const spec = { title: "T", note: "", rows: 20000, columns: [{ name: "n", type: "text" as const }], cell: String };
    const table = new Table(spec, signal);
    expect(rows(table).length).toBeLessThan(100);
  });

  it("hold every node and every table of the payload", () => {
    const doc = nestedDoc();
    expect(nodeTable(doc, () => {}).rows).toBe(40);
    const inputs = plainTable(NESTED.programs[0].tables[0], NESTED.strings, () => {});
    expect(inputs.title).toBe("Inputs");
    expect(inputs.rows).toBeGreaterThan(0);
  });

  it("of the same title are told apart", () => {
    const doc = nestedDoc();
    const { tables } = NESTED.programs[0];
    const titles = tablesOf(doc, [tables[0]], NESTED.strings, () => {}).map((table) => table.title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles).toContain(`Inputs of ${doc.label}`);
  });
});

describe("the search box", () => {
  it("counts, lists and walks the results, and says what is wrong with a query", () => {
    const gone: number[] = [];
    const box = new SearchBox({ onFound: () => {}, onGo: (id) => gone.push(id), onQuery: () => {} }, signal);
    document.body.append(box.element);
    const doc = nestedDoc();
    box.show(doc, "op:linear");
    expect(text(box.element.querySelector("[role=status]"))).toBe("3 found");
    expect(box.element.querySelectorAll("[role=option]").length).toBe(3);
    box.go(1);
    box.go(1);
    box.go(-1);
    expect(gone.map((id) => doc.scene.boxes[id].key)).toEqual(["linear0", "linear1", "linear0"]);
    box.show(doc, "/(/");
    expect(text(box.element.querySelector("[role=status]"))).toContain("no regular expression");
  });
});
