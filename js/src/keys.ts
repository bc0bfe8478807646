// The keys of the view, in one list that both works and is shown.

import { h } from "./dom";

export interface KeyAction {
  /** As `KeyboardEvent.key` has it. */
  readonly keys: readonly string[];
  readonly name: string;
  readonly run: () => void;
}

/** Run the action of a key, unless a text field has the focus or a modifier belongs to the browser. */
export function listenKeys(root: HTMLElement | Document, actions: readonly KeyAction[], signal: AbortSignal): void {
  const onKey = (event: Event) => {
    if (!(event instanceof KeyboardEvent) || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey)
      return;
    const target = event.target as Element;
    if (target.closest("input, textarea, select, dialog")) return;
    const pressing = event.key === "Enter" || event.key === " ";
    if (pressing && target.closest("button, summary, a")) return;
    const action = actions.find(({ keys }) => keys.includes(event.key));
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action.run();
  };
  root.addEventListener("keydown", onKey, { signal });
}

const SHOWN: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
  Escape: "Esc",
};

/** Show the list of keys in a dialog. */
export function showKeys(root: HTMLElement, actions: readonly KeyAction[]): void {
  const rows = actions.map(({ keys, name }) => {
    const caps = keys.map((key) => h("kbd", {}, SHOWN[key] ?? key));
    return h("tr", {}, h("th", { scope: "row" }, ...caps), h("td", {}, name));
  });
  const close = h("button", { type: "button", class: "gl-button" }, "Close");
  const dialog = h(
    "dialog",
    { class: "gl-dialog", "aria-label": "Keys" },
    h("h2", {}, "Keys"),
    h("table", { class: "gl-facts" }, h("tbody", {}, ...rows)),
    h(
      "p",
      { class: "gl-note" },
      "Drag or wheel moves the drawing; Ctrl and wheel, or a pinch, zooms. Double click opens a region.",
    ),
    close,
  );
  // Left to itself the browser closes it and moves the focus a moment later, and a key that is pressed right after is lost.
  const leave = () => {
    dialog.close();
    dialog.remove();
  };
  close.addEventListener("click", leave);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    leave();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) leave();
  });
  root.append(dialog);
  dialog.showModal();
  close.focus();
}
