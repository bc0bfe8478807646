// The layout engine behind one interface, `layout(dot) -> geometry`, so that it can be swapped.

import type { Geometry } from "./geometry";

export interface EngineRequest {
  readonly id: number;
  readonly dot: string;
}

export interface EngineReply {
  readonly id: number;
  readonly geometry?: Geometry;
  readonly error?: string;
}

export interface Engine {
  /** Lay out a DOT text. Rejects with an `Error` that says why. */
  layout(dot: string): Promise<Geometry>;
  /** Get ready before the first layout is asked for. */
  warm?(): void;
}

interface Waiting {
  readonly dot: string;
  readonly resolve: (geometry: Geometry) => void;
  readonly reject: (error: Error) => void;
}

export interface EngineOptions {
  /** Give the script of the worker. */
  readonly source: () => Promise<Uint8Array<ArrayBuffer>>;
  readonly signal: AbortSignal;
  /** Longest that one layout may take, in ms. */
  readonly limit?: number;
  readonly makeWorker?: (url: string) => Worker;
}

/** An idle worker gives its memory back after this time, in ms: a notebook may hold many views. */
const REST = 120_000;

/**
 * Run Graphviz in a blob worker.
 *
 * One request is in the worker at a time, so a time limit measures the layout alone. After any failure the worker is
 * replaced: an instance of Graphviz that has aborted once fails on good graphs too.
 */
export function workerEngine({ source, signal, limit = 20_000, makeWorker }: EngineOptions): Engine {
  const make = makeWorker ?? ((url: string) => new Worker(url));
  const queue = new Map<number, Waiting>();
  let url: Promise<string> | undefined;
  let worker: Worker | undefined;
  let running = -1;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let next = 0;

  const stop = () => {
    clearTimeout(timer);
    clearTimeout(resting);
    worker?.terminate();
    worker = undefined;
    running = -1;
  };
  const settle = (id: number, reply: EngineReply) => {
    const waiting = queue.get(id);
    queue.delete(id);
    clearTimeout(timer);
    running = -1;
    if (reply.geometry) waiting?.resolve(reply.geometry);
    else {
      stop();
      waiting?.reject(new Error(`Graphviz: ${reply.error}`));
    }
    pump();
  };
  const start = (script: string) => {
    worker = make(script);
    worker.onmessage = ({ data }: MessageEvent<EngineReply>) => {
      if (data.id === running) settle(data.id, data);
    };
    worker.onerror = (event) => settle(running, { id: running, error: event.message || "the worker failed to start" });
  };
  const load = () => {
    url ??= source().then((script) => URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    return url;
  };
  const pump = () => {
    const first = queue.entries().next();
    clearTimeout(resting);
    if (first.done) resting = setTimeout(stop, REST);
    if (running >= 0 || first.done || signal.aborted) return;
    const [id, { dot }] = first.value;
    running = id;
    load().then(
      (script) => {
        if (signal.aborted) return;
        if (!worker) start(script);
        worker?.postMessage({ id, dot } satisfies EngineRequest);
        timer = setTimeout(() => settle(id, { id, error: `no layout within ${limit / 1000} s` }), limit);
      },
      (error: Error) => {
        url = undefined;
        settle(id, { id, error: `cannot be loaded (${error.message})` });
      },
    );
  };

  signal.addEventListener("abort", () => {
    stop();
    url?.then(URL.revokeObjectURL, () => {});
    for (const waiting of queue.values()) waiting.reject(new Error("the view was closed"));
    queue.clear();
  });

  return {
    warm: () => {
      load().then(
        (script) => {
          if (!worker && !signal.aborted) start(script);
        },
        () => {
          url = undefined;
        },
      );
    },
    layout: (dot) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(new Error("the view was closed"));
        queue.set(next++, { dot, resolve, reject });
        pump();
      }),
  };
}
