import { describe, expect, it } from "vitest";
import { compose } from "./compose";
import type { Doc } from "./doc";
import type { Engine } from "./engine";
import { type Picture, pictureOf, type Rect } from "./picture";
import { docOf, nestedDoc, realEngine } from "./testing";

const everything = (doc: Doc) => new Set(doc.scene.regions.map((region) => region.id));

async function draw(doc: Doc, open: ReadonlySet<number>, engine: Engine = realEngine()): Promise<Picture> {
  return pictureOf(doc, await compose(doc, open, engine, new Map()));
}

const inside = (outer: Rect, inner: Rect) =>
  inner.x >= outer.x - 0.5 &&
  inner.y >= outer.y - 0.5 &&
  inner.x + inner.width <= outer.x + outer.width + 0.5 &&
  inner.y + inner.height <= outer.y + outer.height + 0.5;
const apart = (a: Rect, b: Rect) =>
  a.x + a.width <= b.x + 0.5 ||
  b.x + b.width <= a.x + 0.5 ||
  a.y + a.height <= b.y + 0.5 ||
  b.y + b.height <= a.y + 0.5;

describe("a picture", () => {
  it("has every box in its frame and none on another", async () => {
    const doc = nestedDoc();
    const picture = await draw(doc, everything(doc));
    expect(picture.cells.length).toBeGreaterThan(8);
    for (const cell of picture.cells) {
      cell.shapes.forEach((shape, i) => {
        expect(inside(cell, shape)).toBe(true);
        for (const other of cell.shapes.slice(i + 1)) expect(apart(shape, other)).toBe(true);
      });
      for (const wire of cell.wires) expect(inside(cell, wire)).toBe(true);
    }
    const boxes = picture.cells.flatMap((cell) => cell.shapes).length;
    expect(boxes).toBe(doc.scene.boxes.filter((box) => !box.folded && box.call < 0).length);
  });

  it("joins a line at a border to the line that goes on inside", async () => {
    const doc = nestedDoc();
    const picture = await draw(doc, everything(doc));
    const frame = picture.cells.find((cell) => cell.frame && doc.scene.regions[cell.frame.region].key === "#layers.1");
    const into = picture.cells[0].wires.find((wire) => wire.link.head.at === -1 - (frame?.frame?.region ?? 0));
    const on = frame?.wires.find((wire) => wire.link.tail.at < -1e9);
    expect(into?.points.at(-2)).toBeCloseTo(on?.points[0] ?? Number.NaN, 1);
    expect(into?.points.at(-1)).toBeCloseTo(frame?.y ?? Number.NaN, 1);
  });

  it("puts the branches of cond side by side", async () => {
    const doc = nestedDoc();
    const picture = await draw(doc, everything(doc));
    const at = (key: string) => picture.places.get(-1 - (doc.scene.regionByKey.get(key) as number)) as Rect;
    const [yes, no] = [at("cond.true_fn#"), at("cond.false_fn#")];
    expect(yes.y).toBeCloseTo(no.y);
    expect(yes.x + yes.width).toBeLessThan(no.x);
  });

  it("lays equal regions out once", async () => {
    const engine = realEngine();
    const doc = nestedDoc();
    await draw(doc, everything(doc), engine);
    expect(new Set(engine.dots).size).toBe(engine.dots.length);
    const layers = doc.scene.regions.filter((region) => region.type === "Block");
    expect(layers.length).toBe(3);
    expect(engine.dots.length).toBeLessThan(everything(doc).size - 3);
  });

  it("is drawn without the engine when that fails, and says so", async () => {
    const doc = nestedDoc();
    const engine = { layout: () => Promise.reject(new Error("Graphviz: abort")) };
    const picture = await draw(doc, new Set([0]), engine);
    expect(picture.notes.join()).toContain("Graphviz: abort");
    const { shapes } = picture.cells[0];
    shapes.forEach((shape, i) => {
      for (const other of shapes.slice(i + 1)) expect(apart(shape, other)).toBe(true);
    });
  });

  it("does not give a crowd to the engine", async () => {
    const engine = realEngine();
    const inputs = Array.from({ length: 800 }, (_, i) => ({ key: `x${i}`, role: "input" as const }));
    const picture = await draw(docOf([...inputs, { key: "cat", uses: inputs.map((_, i) => i) }]), new Set([0]), engine);
    expect(engine.dots).toEqual([]);
    const { shapes } = picture.cells[0];
    expect(shapes.length).toBe(801);
    for (let i = 1; i < shapes.length; i++) expect(apart(shapes[i - 1], shapes[i])).toBe(true);
  });
});

describe("DOT", () => {
  it("holds no text of the program", async () => {
    const hostile = ['"]; evil [URL="javascript:alert(1)"', "<table><tr><td>x", "\\", "a|b{c}", "n\nm", "]]>", "日本"];
    const engine = realEngine();
    const boxes = hostile.map((text, i) => ({ key: `${text}${i}`, label: text, sub: text, uses: i ? [i - 1] : [] }));
    const picture = await draw(docOf(boxes), new Set([0]), engine);
    expect(picture.cells[0].shapes.length).toBe(hostile.length);
    expect(engine.dots.length).toBe(1);
    expect(engine.dots[0]).toMatch(/^[\x20-\x7e\n]+$/);
    for (const line of engine.dots[0].split("\n").slice(2)) {
      expect(line).toMatch(/^(m\d+\[width=[\d.]+ height=[\d.]+\]|m\d+->m\d+\[id=\d+( weight=\d)?\]|\})$/);
    }
  });
});
