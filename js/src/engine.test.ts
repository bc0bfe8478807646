import { describe, expect, it, vi } from "vitest";
import { type EngineReply, type EngineRequest, workerEngine } from "./engine";

const GEOMETRY = { width: 1, height: 1, nodes: {}, edges: {} };

class FakeWorker {
  static made: FakeWorker[] = [];
  onmessage: ((event: { data: EngineReply }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  got: EngineRequest[] = [];
  ended = false;

  constructor() {
    FakeWorker.made.push(this);
  }

  postMessage(request: EngineRequest): void {
    this.got.push(request);
  }

  terminate(): void {
    this.ended = true;
  }

  answer(reply: Omit<EngineReply, "id">, id = this.got.at(-1)?.id ?? -1): void {
    this.onmessage?.({ data: { id, ...reply } });
  }
}

function setUp(limit?: number) {
  FakeWorker.made = [];
  const end = new AbortController();
  const source = vi.fn(async () => new Uint8Array([59]));
  const makeWorker = () => new FakeWorker() as unknown as Worker;
  const engine = workerEngine({ source, signal: end.signal, makeWorker, ...(limit ? { limit } : {}) });
  return { engine, end, source };
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("the engine", () => {
  it("answers each request with its own reply and loads the script once", async () => {
    const { engine, source } = setUp();
    const both = Promise.all([engine.layout("a"), engine.layout("b")]);
    await tick();
    const [worker] = FakeWorker.made;
    expect(worker.got.map((request) => request.dot)).toEqual(["a"]);
    worker.answer({ geometry: GEOMETRY }, 99);
    worker.answer({ geometry: { ...GEOMETRY, width: 5 } });
    await tick();
    worker.answer({ geometry: { ...GEOMETRY, width: 6 } });
    expect((await both).map((geometry) => geometry.width)).toEqual([5, 6]);
    expect(FakeWorker.made.length).toBe(1);
    expect(source).toHaveBeenCalledTimes(1);
  });

  it("replaces the worker after a failure and goes on with the rest", async () => {
    const { engine } = setUp();
    const bad = engine.layout("bad");
    const good = engine.layout("good");
    const caught = expect(bad).rejects.toThrow("Graphviz: assertion");
    await tick();
    FakeWorker.made[0].answer({ error: "assertion" });
    await caught;
    await tick();
    expect(FakeWorker.made[0].ended).toBe(true);
    FakeWorker.made[1].answer({ geometry: GEOMETRY });
    expect(await good).toEqual(GEOMETRY);
  });

  it("gives up on a layout that takes too long", async () => {
    const { engine } = setUp(20);
    await expect(engine.layout("slow")).rejects.toThrow("no layout within 0.02 s");
    expect(FakeWorker.made[0].ended).toBe(true);
  });

  it("says so when it cannot be loaded, and tries again the next time", async () => {
    const { engine, source } = setUp();
    source.mockRejectedValueOnce(new Error("kernel is gone"));
    await expect(engine.layout("a")).rejects.toThrow("kernel is gone");
    const again = engine.layout("a");
    await tick();
    FakeWorker.made[0].answer({ geometry: GEOMETRY });
    expect(await again).toEqual(GEOMETRY);
  });

  it("ends with its view", async () => {
    const { engine, end } = setUp();
    const waiting = engine.layout("a");
    await tick();
    end.abort();
    await expect(waiting).rejects.toThrow("closed");
    expect(FakeWorker.made[0].ended).toBe(true);
    await expect(engine.layout("b")).rejects.toThrow("closed");
  });
});
