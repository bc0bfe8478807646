// A row of tabs that arrow keys walk.

import { h } from "./dom";

export interface Tab {
  readonly label: string;
  /** A count or the like, said after the label. */
  readonly note?: string;
  readonly class?: string;
}

/** Make a tab list; `chosen` is -1 where none is. */
export function tabs(
  name: string,
  items: readonly Tab[],
  chosen: number,
  onChoose: (index: number) => void,
  signal: AbortSignal,
): HTMLElement {
  const list = h("div", { class: "gl-tabs", role: "tablist", "aria-label": name });
  items.forEach((item, i) => {
    const tab = h(
      "button",
      {
        type: "button",
        role: "tab",
        class: `gl-tab ${item.class ?? ""}`,
        "aria-selected": i === chosen ? "true" : "false",
        tabindex: i === Math.max(0, chosen) ? 0 : -1,
        title: item.label,
      },
      h("span", { class: "gl-tab-label" }, item.label),
      item.note && h("span", { class: "gl-tab-note" }, item.note),
    );
    tab.addEventListener("click", () => onChoose(i), { signal });
    list.append(tab);
  });
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...list.children] as HTMLElement[];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  list.addEventListener("keydown", onKey, { signal });
  return list;
}
