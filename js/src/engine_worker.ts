// Graphviz in a worker: DOT texts in, geometries out. Built into one classic script, for a blob URL.

import { Graphviz } from "@hpcc-js/wasm-graphviz";
import type { EngineReply, EngineRequest } from "./engine";
import { readGeometry } from "./geometry";

const port = self as unknown as {
  onmessage: ((event: MessageEvent<EngineRequest>) => void) | null;
  postMessage(reply: EngineReply): void;
};

const loaded = Graphviz.load();

port.onmessage = async ({ data: { id, dot } }) => {
  try {
    const graphviz = await loaded;
    port.postMessage({ id, geometry: readGeometry(graphviz.layout(dot, "json0" as "json", "dot")) });
  } catch (error) {
    port.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
