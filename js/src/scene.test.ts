import { describe, expect, it } from "vitest";
import { around, shownBox } from "./scene";
import { docOf, nestedDoc } from "./testing";

describe("a scene", () => {
  const { scene } = nestedDoc();
  const box = (key: string) => scene.boxes[scene.boxByKey.get(key) as number];
  const region = (key: string) => scene.regions[scene.regionByKey.get(key) as number];

  it("folds stored tensors and subgraphs into their users", () => {
    expect(box("p_weight").folded).toBe(true);
    expect(box("cond_true_fn").folded).toBe(true);
    expect(scene.boxes[shownBox(scene, box("p_weight").id)].key).toBe("linear0");
    expect(box("x").folded).toBe(false);
  });

  it("keeps what calls nested graphs as a region and draws no second box for it", () => {
    const call = region("cond");
    expect(call.children.map((id) => scene.regions[id].label)).toEqual(["true_fn", "false_fn"]);
    expect(scene.regions[0].children).toContain(call.id);
    expect(scene.regions[0].boxes).not.toContain(box("cond").id);
    expect(box("cond").call).toBe(call.id);
  });

  it("names a module around a single box in that box", () => {
    expect(scene.regions[box("linear0").wrapper].key).toBe("#layers.0>layers.0.proj");
    expect(region("#layers.0").boxes).toEqual([box("relu0").id, box("linear0").id]);
    expect(region("#layers.0").children).toEqual([]);
  });

  it("knows what is around a box, innermost first", () => {
    const keys = around(scene, box("cond.true_fn/map_impl").id).map((id) => scene.regions[id].key);
    expect(keys).toEqual(["cond.true_fn/map_impl", "cond.true_fn#", "cond", "#"]);
  });
});

describe("repeats", () => {
  const layers = (count: number, odd = -1) => {
    const regions = Array.from({ length: count }, (_, i) => ({
      ...{ key: `layers.${i}`, kind: "module" as const, parent: 0, hash: i === odd ? "other" : "same" },
    }));
    const boxes = regions.flatMap((_, i) => [
      { key: `a${i}`, region: i + 1, uses: i ? [2 * i - 1] : [] },
      { key: `b${i}`, region: i + 1, uses: [2 * i] },
    ]);
    return docOf(boxes, regions).scene;
  };

  it("folds a long run of equal modules into one region", () => {
    const scene = layers(126);
    const [repeat] = scene.regions[0].children.map((id) => scene.regions[id]);
    expect([repeat.kind, repeat.label, repeat.children.length]).toEqual(["repeat", "layers.0 – 125", 126]);
    expect(scene.regions[repeat.children[3]].depth).toBe(2);
  });

  it("leaves a module that differs outside, by name", () => {
    const scene = layers(40, 20);
    expect(scene.regions[0].children.map((id) => scene.regions[id].label).sort()).toEqual(
      ["layers.0 – 19", "layers.20", "layers.21 – 39"].sort(),
    );
  });

  it("leaves short runs as they are", () => {
    expect(layers(8).regions[0].children.length).toBe(8);
  });
});

describe("parts", () => {
  it("cut a graph of thousands of boxes, and leave a smaller one alone", () => {
    const flat = (count: number) =>
      docOf([
        { key: "x", role: "input" },
        ...Array.from({ length: count }, (_, i) => ({ key: `n${i}`, uses: [i] })),
        { key: "output", role: "output", uses: [count] },
      ]).scene;
    expect(flat(300).regions.length).toBe(1);
    const { regions, boxes } = flat(6000);
    const parts = regions.filter((region) => region.kind === "part");
    expect(parts.reduce((sum, part) => sum + part.boxes.length, 0)).toBe(6000);
    expect(Math.max(...parts.map((part) => part.boxes.length))).toBeLessThan(100);
    expect(parts[0].label).toBe("n0 … n74");
    expect(regions[0].boxes.map((id) => boxes[id].key)).toEqual(["x", "output"]);
    expect(boxes[1].region).toBe(parts[0].id);
  });
});
