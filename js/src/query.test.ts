import { describe, expect, it } from "vitest";
import { compileQuery, hint, QueryError, type Searchable } from "./query";
import { findBoxes } from "./search";
import { nestedDoc } from "./testing";

const node = (fields: Record<string, string[]>, words: string[] = []): Searchable => ({
  words: () => words,
  field: (name) => fields[name] ?? [],
});

const linear = node(
  {
    shape: ["[2, s77, 4096]"],
    dtype: ["bfloat16", "bf16"],
    op: ["call_function", "aten.linear.default"],
    custom: ["tag-7"],
  },
  ["linear", "aten.linear.default", "layers.3", "bf16[2, s77, 4096]"],
);

describe("a query", () => {
  it.each([
    ["", true],
    ["LINEAR", true],
    ["linear layers.3", true],
    ["linear layers.4", false],
    ["op:linear shape:4096 dtype:bf16", true],
    ["dtype:torch.bfloat16", true],
    ["dtype:float", false],
    ["shape:s77", true],
    ["shape:409", false],
    ['shape:"[2, s77, 4096]"', true],
    ["shape:[2,*,4096]", true],
    ["shape:[2,4096]", false],
    ["shape:[]", false],
    ["custom:tag-7", true],
    ["-op:linear", false],
    ["-op:conv", true],
    ['"aten.linear"', true],
    ["absent_field:1", false],
  ])("%s -> %s", (query, expected) => {
    expect(compileQuery(query)(linear)).toBe(expected);
  });

  it("keeps the case of character classes", () => {
    const digits = node({ name: ["123"] });
    expect(compileQuery("name:/^\\d+$/")(digits)).toBe(true);
    expect(compileQuery("name:/^\\D+$/")(digits)).toBe(false);
    expect(compileQuery("/^\\S+$/")(node({}, ["a b"]))).toBe(false);
    expect(compileQuery("/\\W/")(node({}, ["ab"]))).toBe(false);
    expect(compileQuery("/^AB$/")(node({}, ["ab"]))).toBe(true);
  });

  it.each([
    ["op:[", "op:/…/"],
    ["-aten.* linear", "/…/"],
    ["op:/lin", "op:/…/"],
    ["op:linear shape:[2,*]", ""],
    ["linear", ""],
  ])("says what %s looks for", (query, expected) => {
    expect(hint(query)).toContain(expected);
    expect(hint(query) === "").toBe(expected === "");
  });

  it.each(['op:"unclosed', "/(/", "name:/[/", "op:", "shape:[2"])("says what is wrong with %s", (query) => {
    expect(() => compileQuery(query)).toThrow(QueryError);
  });
});

describe("searching a document", () => {
  const doc = nestedDoc();
  const keys = (query: string) => findBoxes(doc, query).map((box) => doc.scene.boxes[box].key);

  it("finds in every nested graph", () => {
    expect(keys("op:higher_order.map_impl")).toEqual(["cond.true_fn/map_impl"]);
    expect(keys("graph:cond.true_fn/map_impl.f/cond.true_fn op:add")).toEqual([
      "cond.true_fn/map_impl.f/cond.true_fn/add",
    ]);
    expect(keys("graph:root op:placeholder")).toEqual(["p_weight", "x"]);
  });

  it("knows modules, values and sources", () => {
    expect(keys("module:layers.1.proj")).toEqual(["linear1"]);
    expect(keys("type:Linear")).toEqual(["linear0", "linear1", "linear2"]);
    expect(keys("shape:[s77,4] op:linear").length).toBe(3);
    expect(keys("dtype:b8")).toEqual(["gt"]);
    expect(keys("source:model.py").length).toBeGreaterThan(0);
  });

  it("finds nothing for nothing", () => {
    expect(keys("  ")).toEqual([]);
    expect(keys("diff:changed")).toEqual([]);
  });
});
