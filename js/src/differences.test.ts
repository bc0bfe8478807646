import { describe, expect, it } from "vitest";
import { Details } from "./details";
import { differences, markOf, tallyText } from "./differences";
import type { Doc, Status } from "./doc";
import { Outline } from "./outline";
import { differingBoxes } from "./search";
import { SearchBox } from "./searchbox";
import { diffDoc, docOf } from "./testing";

const { signal } = new AbortController();

/** A document in which boxes of two modules differ: status, severity, and whether that follows from another. */
function differing(of: readonly (readonly [Status, string, boolean?])[]): Doc {
  const regions = ["m.0", "m.1"].map((key) => ({ key, kind: "module" as const, parent: 0 }));
  const doc = docOf(
    of.map((_, i) => ({ key: `n${i}`, region: i < 2 ? 1 : 2 })),
    regions,
  );
  const mismatches = {
    ...diffDoc().diff?.mismatches,
    box: of.flatMap(([status], i) => (status === "same" ? [] : [i])),
  };
  return {
    ...doc,
    diff: { ...diffDoc().diff, mismatches, side: [] } as unknown as NonNullable<Doc["diff"]>,
    status: (box) => of[box][0],
    severity: (box) => of[box][1],
    follows: (box) => of[box][2] ?? false,
  };
}

describe("what differs in a region", () => {
  it("is told as missing where one side has all of it", () => {
    const doc = differing([
      ["only_a", "wrong_result"],
      ["only_a", "cosmetic"],
      ["changed", "breaks_pass"],
      ["same", ""],
    ]);
    const [program, first, second] = differences(doc);
    expect([program, first, second].map(tallyText)).toEqual(["≠ 3", "− 2", "≠ 1"]);
    expect([program.grade, second.grade]).toEqual(["grave", "serious"]);
    expect(program.words).toBe("1 changed (breaks_pass), 2 only in a");
    const outline = new Outline(doc, { onSelect: () => {}, onToggle: () => {} }, [0], signal);
    const counts = [...outline.element.querySelectorAll(".gl-tree-count > [aria-hidden]")].map((el) => el.textContent);
    expect(counts).toEqual(["≠ 3", "− 2", "≠ 1"]);
    const classes = [...outline.element.querySelectorAll(".gl-tree-count")].map((el) => el.className);
    expect(classes[1]).toContain("gl-s-only_a");
    expect(classes[2]).toContain("gl-serious");
  });

  it("does not count what only follows beside what is one itself", () => {
    const doc = differing([
      ["changed", "wrong_result"],
      ["changed", "wrong_result", true],
      ["changed", "wrong_result", true],
      ["same", ""],
    ]);
    expect(differences(doc).map(tallyText)).toEqual(["≠ 1", "≠ 1", "≠ 1"]);
    expect(differences(doc).map(({ grade }) => grade)).toEqual(["grave", "grave", "slight"]);
    expect([0, 1, 2].map((box) => markOf(doc, box))).toEqual(["changed", "inherited", "inherited"]);
    expect(differingBoxes(doc)).toEqual([0]);
  });

  it("is no worse for nodes that went with the call that held them", () => {
    const doc = differing([
      ["changed", "breaks_pass"],
      ["only_a", "wrong_result", true],
      ["only_a", "wrong_result", true],
      ["only_a", "wrong_result", true],
    ]);
    expect(differences(doc).map(tallyText)).toEqual(["≠ 1", "≠ 1", "− 2"]);
    expect(differences(doc).map(({ grade }) => grade)).toEqual(["serious", "serious", "slight"]);
  });

  it("is nothing where nothing differs", () => {
    expect(differences(differing([["same", ""]])).map(({ count, words }) => [count, words])).toEqual([
      [0, ""],
      [0, ""],
      [0, ""],
    ]);
  });
});

describe("a real diff", () => {
  it("is gone through from the search box while nothing is searched", () => {
    const doc = diffDoc();
    const gone: number[] = [];
    const box = new SearchBox({ onFound: () => {}, onGo: (id) => gone.push(id), onQuery: () => {} }, signal);
    const stops = differingBoxes(doc);
    const status = () => box.element.querySelector("[role=status]")?.textContent;
    box.show(doc, "");
    expect(status()).toBe("");
    box.go(1);
    box.go(1);
    expect(status()).toBe(`2 of ${stops.length} that differ`);
    box.go(-1);
    box.go(-1);
    expect(gone).toEqual([stops[0], stops[1], stops[0], stops.at(-1)]);
    box.show(doc, "op:embedding");
    expect(status()).toMatch(/^\d+ found$/);
  });

  it("says which marks it has, and names its sides as the texts do", () => {
    const doc = diffDoc();
    const details = new Details(doc, { onBox: () => {}, onRegion: () => {} });
    details.show(null);
    const marks = [...details.element.querySelectorAll(".gl-legend li")].map((item) => item.textContent);
    expect(marks.some((text) => text?.includes("changed: "))).toBe(true);
    expect(marks.some((text) => text?.includes("only in b"))).toBe(doc.diff?.status.includes("only_b"));
    expect(details.element.textContent).toContain("Program a: ");
    details.show(differingBoxes(doc)[0]);
    const sides = [...details.element.querySelectorAll(".gl-mismatch .gl-side > b")].map((el) => el.textContent);
    expect(new Set(sides)).toEqual(new Set(["a", "b"]));
  });
});
