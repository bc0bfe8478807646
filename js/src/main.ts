// The entry of the bundle: `render` for any page, the default export for anywidget, and the report, which starts itself.

import { App } from "./app";
import { decodePayload, fromBase64, gunzip } from "./decode";
import { workerEngine } from "./engine";
import { type Host, memoryHost, staticHost } from "./host";
import { anywidgetHost, heightOf, type Model, payloadOf } from "./host_anywidget";

export interface RenderOptions {
  /** Give one of the built files by name. */
  readonly asset: (name: string) => Promise<Uint8Array<ArrayBuffer>>;
  readonly host?: Host;
  readonly signal?: AbortSignal;
}

/** Show a payload (gzipped JSON) in an element; resolves when the first picture is there. */
export async function render(
  element: HTMLElement,
  payload: Uint8Array<ArrayBuffer>,
  options: RenderOptions,
): Promise<void> {
  element.dataset.testid = "graphlens";
  element.dataset.state = "loading";
  try {
    const signal = options.signal ?? new AbortController().signal;
    const engine = workerEngine({ source: () => options.asset("graphlens-engine.js"), signal });
    engine.warm?.();
    const app = new App(element, {
      payload: await decodePayload(payload),
      host: options.host ?? memoryHost(),
      engine,
      signal,
    });
    await app.open();
  } catch (error) {
    element.dataset.state = "error";
    const message = document.createElement("p");
    message.setAttribute("role", "alert");
    message.textContent = error instanceof Error ? error.message : String(error);
    element.append(message);
    throw error;
  }
}

interface WidgetProps {
  readonly model: Model;
  readonly el: HTMLElement;
  readonly signal: AbortSignal;
  readonly asset: RenderOptions["asset"];
}

/** Our keys are not the notebook's: else "a" would insert a cell and "d d" delete the one around the view. */
function keepKeys(el: HTMLElement, signal: AbortSignal): void {
  const keep = (event: KeyboardEvent) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  };
  el.addEventListener("keydown", keep, { signal });
}

async function renderWidget({ model, el, signal, asset }: WidgetProps): Promise<void> {
  const resize = () => {
    el.style.height = `${heightOf(model)}px`;
  };
  resize();
  keepKeys(el, signal);
  model.on("change:height", resize);
  signal.addEventListener("abort", () => model.off("change:height", resize));
  await render(el, payloadOf(model), { asset, host: anywidgetHost(model), signal });
}

export default { render: renderWidget };

const data = document.getElementById("graphlens-data");
const place = document.getElementById("app");
if (data && place) {
  const read = (id: string) => fromBase64(document.getElementById(id)?.textContent ?? "");
  const asset = () => gunzip(read("graphlens-engine"));
  void render(place, read("graphlens-data"), { asset, host: staticHost() });
}
