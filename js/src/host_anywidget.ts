// The notebook: the state is the traits of the widget. The only file that touches `model.get` and `model.set`.

import { asBytes } from "./decode";
import type { Host, StateKey } from "./host";
import { START, type ViewState } from "./state";

/** The part of anywidget's model that is used. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, heard: () => void): void;
  off(event: string, heard: () => void): void;
}

/** Traits that Python may have; one that it lacks stays on this side. */
const KEYS = Object.keys(START) as StateKey[];

export function anywidgetHost(model: Model): Host {
  const shared = KEYS.filter((key) => model.get(key) !== undefined);
  const read = (keys: readonly StateKey[]): Partial<ViewState> =>
    Object.fromEntries(keys.map((key) => [key, model.get(key)]));
  return {
    standalone: false,
    initial: () => ({ ...START, ...read(shared) }),
    save(state, changed) {
      const keys = changed.filter((key) => shared.includes(key));
      for (const key of keys) model.set(key, state[key]);
      if (keys.length) model.save_changes();
    },
    onChange(heard, signal) {
      for (const key of shared) {
        const onTrait = () => heard(read([key]));
        model.on(`change:${key}`, onTrait);
        signal.addEventListener("abort", () => model.off(`change:${key}`, onTrait));
      }
    },
    link: () => null,
  };
}

/** The gzipped payload, as the kernel sent it. */
export function payloadOf(model: Model): Uint8Array<ArrayBuffer> {
  const payload = model.get("payload");
  if (payload instanceof ArrayBuffer || ArrayBuffer.isView(payload)) return asBytes(payload);
  throw new Error("graphlens: the widget has no payload; run the cell again");
}

export function heightOf(model: Model): number {
  const height = model.get("height");
  return typeof height === "number" && height > 0 ? height : 600;
}
