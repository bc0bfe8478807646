// Hands changes of the state to the host, those that come in quick succession together.

import type { Host, StateKey } from "./host";
import type { ViewState } from "./state";

export class Keeper {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly changed = new Set<StateKey>();
  private latest: ViewState | undefined;

  constructor(
    private readonly host: Host,
    signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => {
      clearTimeout(this.timer);
      this.latest = undefined;
    });
  }

  /** Keep a state of which some keys changed, now or after a pause (in ms). */
  keep(state: ViewState, keys: readonly StateKey[], pause: number): void {
    this.latest = state;
    for (const key of keys) this.changed.add(key);
    if (pause && this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (pause) this.timer = setTimeout(() => this.save(), pause);
    else this.save();
  }

  private save(): void {
    this.timer = undefined;
    const keys = [...this.changed];
    this.changed.clear();
    if (this.latest) this.host.save(this.latest, keys);
  }
}
