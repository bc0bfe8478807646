import { decodePayload } from "./decode";
import { openDoc } from "./doc";
import { workerEngine } from "./engine";
import { GraphPane } from "./graph_pane";

declare global {
  interface Window {
    gl: unknown;
  }
}
export async function render(
  element: HTMLElement,
  bytes: Uint8Array<ArrayBuffer>,
  options: { asset: (name: string) => Promise<Uint8Array<ArrayBuffer>>; signal: AbortSignal },
) {
  const payload = await decodePayload(bytes);
  const view = payload.sections[0].views[0];
  const doc = openDoc(payload, view);
  const engine = workerEngine({ source: () => options.asset("graphlens-engine.js"), signal: options.signal });
  element.classList.add("graphlens");
  const pane = new GraphPane({
    doc,
    engine,
    prefix: "g1-",
    open: view.open ?? [0],
    camera: null,
    signal: options.signal,
    takesWheel: () => true,
    onSelect: (e) => {
      void pane.select(e, false);
    },
    onBusy: () => {
      element.dataset.state = "loading";
    },
    onOpen: () => {},
    onCamera: () => {},
    onReady: (boxes, regions) => {
      element.dataset.state = "ready";
      element.dataset.nodes = String(boxes);
      element.dataset.regions = String(regions);
    },
  });
  element.append(pane.element);
  pane.element.style.height = "100%";
  window.gl = pane;
  await pane.setOpen(view.open ?? [0]);
}
async function auto() {
  const { fromBase64, gunzip } = await import("./decode");
  const text = (id: string) => document.getElementById(id)?.textContent ?? "";
  await render(document.getElementById("app") as HTMLElement, fromBase64(text("graphlens-data")), {
    asset: async () => gunzip(fromBase64(text("graphlens-engine"))),
    signal: new AbortController().signal,
  });
}
if (document.getElementById("graphlens-data")) void auto();
