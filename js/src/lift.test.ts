import { describe, expect, it } from "vitest";
import { BORDER, liftFlow, openRegions, regionEntity } from "./lift";
import { thin } from "./tags";
import { docOf, nestedDoc } from "./testing";

const { scene } = nestedDoc();
const region = (key: string) => scene.regionByKey.get(key) as number;
const box = (key: string) => scene.boxByKey.get(key) as number;
const lift = (keys: readonly string[]) => {
  const open = openRegions(scene, new Set([0, ...keys.map(region)]));
  return liftFlow(scene, open);
};
const ends = (graphs: Awaited<ReturnType<typeof liftFlow>>, key: string) =>
  [...(graphs.get(region(key))?.links.values() ?? [])].map(({ tail, head }) => [
    tail.at,
    tail.port,
    head.at,
    head.port,
  ]);

describe("lifting", () => {
  it("joins closed regions by one link each, without ports", async () => {
    const links = ends(await lift([]), "#");
    expect(links).toContainEqual([regionEntity(region("#layers.0")), -1, regionEntity(region("#layers.1")), -1]);
    expect(links).toContainEqual([box("gt"), -1, regionEntity(region("cond")), -1]);
    expect(links.length).toBe(new Set(links.map(String)).size);
  });

  it("passes a border at ports on both sides", async () => {
    const graphs = await lift(["#layers.0", "#layers.1"]);
    const value = box("relu0");
    expect(ends(graphs, "#")).toContainEqual([
      ...[regionEntity(region("#layers.0")), value, regionEntity(region("#layers.1")), value],
    ]);
    expect(ends(graphs, "#layers.0")).toContainEqual([value, -1, BORDER, value]);
    expect(ends(graphs, "#layers.1")).toContainEqual([BORDER, value, box("linear1"), -1]);
  });

  it("ties operands to the placeholders of every branch, to the innermost", async () => {
    const f = "cond.true_fn/map_impl.f";
    const graphs = await lift([
      ...[
        "cond",
        "cond.true_fn#",
        "cond.false_fn#",
        "cond.true_fn/map_impl",
        `${f}#`,
        `${f}/cond`,
        `${f}/cond.true_fn#`,
      ],
    ]);
    const operand = box("relu2");
    expect(ends(graphs, "cond")).toEqual(
      expect.arrayContaining([
        [BORDER, operand, regionEntity(region("cond.true_fn#")), box("cond.true_fn/a")],
        [BORDER, operand, regionEntity(region("cond.false_fn#")), box("cond.false_fn/row")],
      ]),
    );
    expect(ends(graphs, "cond.true_fn#")).toContainEqual([BORDER, box("cond.true_fn/a"), box("cond.true_fn/a"), -1]);
    const inner = `${f}/cond.true_fn`;
    expect(ends(graphs, `${inner}#`)).toContainEqual([BORDER, box(`${inner}/row`), box(`${inner}/row`), -1]);
  });

  it("leads the outputs of nested graphs out of the call", async () => {
    const graphs = await lift(["cond", "cond.true_fn#"]);
    const output = box("cond.true_fn/output");
    expect(ends(graphs, "cond.true_fn#")).toContainEqual([output, -1, BORDER, output]);
    expect(ends(graphs, "cond")).toContainEqual([regionEntity(region("cond.true_fn#")), output, BORDER, box("cond")]);
    expect(ends(graphs, "#")).toContainEqual([regionEntity(region("cond")), box("cond"), box("getitem"), -1]);
  });

  it("never links a region that is not drawn", async () => {
    const all = await lift(scene.regions.map((r) => r.key));
    for (const graph of all.values()) {
      const members = new Set([...graph.members, BORDER]);
      for (const { tail, head } of graph.links.values()) {
        expect(members.has(tail.at)).toBe(true);
        expect(members.has(head.at)).toBe(true);
      }
    }
  });
});

describe("tags", () => {
  const chain = (count: number) =>
    docOf([
      { key: "mask" },
      { key: "x" },
      ...Array.from({ length: count }, (_, i) => ({ key: `layer${i}`, uses: [i + 1, 0] })),
    ]).scene;
  const rootOf = async (count: number) => {
    const made = chain(count);
    const graph = (await liftFlow(made, [0])).get(0);
    return graph && thin(made, graph);
  };

  it("names a value that many far boxes use instead of drawing lines", async () => {
    const thinned = await rootOf(126);
    expect(thinned?.tags.size).toBe(125);
    expect(thinned?.tags.get("100.-1")?.[0].at).toBe(0);
    expect(thinned?.links.length).toBe(127);
  });

  it("draws all lines of a small graph", async () => {
    expect((await rootOf(5))?.tags.size).toBe(0);
  });
});
