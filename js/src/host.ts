// Where the shared state of a view lives. Only the hosts know about the notebook's model or the page's address.

import { decodeState, encodeState, START, type ViewState } from "./state";

export type StateKey = keyof ViewState;

export interface Host {
  /** Whether the view has the whole page to itself. */
  readonly standalone: boolean;
  /** The state at the start; also what is missing in the place where it lives. */
  initial(): ViewState;
  /** Keep a change. */
  save(state: ViewState, changed: readonly StateKey[]): void;
  /** Hear of changes made elsewhere: by Python, by a linked view, by the address bar. */
  onChange(heard: (changes: Partial<ViewState>) => void, signal: AbortSignal): void;
  /** A link that reopens the same view, where there can be one. */
  link(state: ViewState): string | null;
}

/** The page of a report: the state is the fragment of its address. */
export function staticHost(target: Window = window): Host {
  let written = target.location.hash;
  return {
    standalone: true,
    initial: () => decodeState(target.location.hash),
    save(state) {
      written = encodeState(state);
      try {
        target.history.replaceState(null, "", written || target.location.pathname + target.location.search);
      } catch {
        // In a sandboxed frame the address may not change; the view works all the same.
      }
    },
    onChange(heard, signal) {
      const onHash = () => {
        if (target.location.hash !== written) heard(decodeState(target.location.hash));
      };
      target.addEventListener("hashchange", onHash, { signal });
    },
    link: (state) => target.location.href.replace(/#.*$/s, "") + encodeState(state),
  };
}

/** A host that keeps nothing, for embedding by hand. */
export function memoryHost(): Host {
  return { standalone: false, initial: () => START, save: () => {}, onChange: () => {}, link: () => null };
}
