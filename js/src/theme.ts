// Light or dark: what the reader chose, else what the notebook uses, else what the system prefers.

import type { ViewState } from "./state";

/**
 * Keep `data-mode` of the root right until the signal ends; returns a function that applies another choice.
 *
 * `data-chosen` says that the reader chose, so that the notebook's own colours do not apply.
 */
export function followTheme(
  root: HTMLElement,
  onMode: () => void,
  signal: AbortSignal,
): (theme: ViewState["theme"]) => void {
  let chosen: ViewState["theme"] = "auto";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = chosen === "auto" ? (notebookIsDark(document.body) ?? system.matches) : chosen === "dark";
    const mode = dark ? "dark" : "light";
    root.toggleAttribute("data-chosen", chosen !== "auto");
    if (root.dataset.mode === mode) return;
    root.dataset.mode = mode;
    onMode();
  };
  system.addEventListener("change", apply, { signal });
  const observer = new MutationObserver(apply);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light"] });
  signal.addEventListener("abort", () => observer.disconnect());
  return (theme) => {
    chosen = theme;
    apply();
  };
}

/** What JupyterLab, Notebook or VS Code say; null on any other page. */
function notebookIsDark(body: HTMLElement): boolean | null {
  const light = body.dataset.jpThemeLight;
  if (light) return light === "false";
  const { classList } = body;
  if (classList.contains("vscode-dark") || classList.contains("vscode-high-contrast")) return true;
  return classList.contains("vscode-light") ? false : null;
}
