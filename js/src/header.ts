// What stands above the drawing: title, tabs, verdict, search and tools.

import type { App } from "./app";
import { button, h, icon } from "./dom";
import { copyLink, exportAs } from "./export";
import type { Section } from "./payload";

const ICONS = {
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  svg: "M8 2v8M4.8 7L8 10.2 11.2 7M3 13.5h10",
  png: "M2.5 3.5h11v9h-11zM2.5 10.5l3-3 2.5 2.5 2-2 3.5 3.5",
  link: "M6.5 9.5l3-3M7 5l1.5-1.5a2.6 2.6 0 0 1 4 4L11 9M9 11l-1.5 1.5a2.6 2.6 0 0 1-4-4L5 7",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  keys: "M6 6a2 2 0 1 1 2.8 1.8c-.5.3-.8.7-.8 1.4M8 12v.3",
  outline: "M3 4h3M5 8h3M5 12h3M8.5 4H13M10.5 8H13M10.5 12H13",
  details: "M2.5 3.5h11v9h-11zM9.5 3.5v9",
} as const;

/** Make the header of the current section. */
export function header(app: App, signal: AbortSignal): HTMLElement[] {
  const { sections, title } = app.options.payload;
  const { section } = app;
  const heading = h(
    app.options.host.standalone ? "h1" : "div",
    { class: "gl-heading", title },
    sections.length > 1 ? "" : section.title || title,
  );
  if (sections.length > 1) {
    heading.classList.add("gl-hidden");
    heading.textContent = title;
  }
  const items = sections.map(({ title: label, status }) => ({ label, class: `gl-status-${status}` }));
  const bar = h("header", { class: "gl-bar" }, heading);
  if (sections.length > 1) bar.append(app.tabsOf("Objects", items, app.state.section, (i) => app.go(i, 0)));
  bar.append(h("span", { class: "gl-space" }), app.search.element, tools(app, signal));
  const rows = [bar];
  const verdict = verdictOf(section);
  const views = viewTabs(app, section);
  if (verdict || views) rows.push(h("div", { class: "gl-subbar" }, verdict, views));
  return rows;
}

const GLYPHS: Readonly<Record<Section["status"], string>> = { ok: "✓", warn: "!", fail: "✕", none: "" };

/** Characters of a verdict from which it may be cut off, and opens to be read as a whole. */
const LONG = 120;

/** The first line of a verdict; what it goes on to say opens below. */
function verdictOf(section: Section): HTMLElement | null {
  if (!section.verdict) return null;
  const [first, ...rest] = section.verdict.split("\n").filter((line) => line.trim());
  const mark = h(
    "span",
    { class: "gl-verdict-mark", role: "img", "aria-label": section.status },
    GLYPHS[section.status],
  );
  const line = h("span", { class: "gl-verdict-line", title: first }, first);
  if (!rest.length && first.length < LONG)
    return h("p", { class: `gl-verdict gl-status-${section.status}` }, mark, line);
  const more =
    rest.length > 0 && h("ul", { class: "gl-verdict-rest" }, ...rest.map((text) => h("li", {}, text.trim())));
  return h("details", { class: `gl-verdict gl-status-${section.status}` }, h("summary", {}, mark, line), more);
}

function viewTabs(app: App, section: Section): HTMLElement | null {
  if (section.views.length < 2) return null;
  const items = section.views.map(({ label, kind }) => ({ label, class: `gl-view-${kind}` }));
  return app.tabsOf("Views", items, app.state.view, (i) => app.go(app.state.section, i));
}

function tools(app: App, signal: AbortSignal): HTMLElement {
  const tool = (name: keyof typeof ICONS, label: string, run: () => void) =>
    button(label, run, { icon: icon(ICONS[name]), signal });
  const pane = () => app.session?.pane;
  return h(
    "div",
    { class: "gl-tools", role: "group", "aria-label": "Tools" },
    tool("outline", "Outline (o)", () => app.togglePane("left")),
    tool("minus", "Zoom out (-)", () => pane()?.zoom(1 / 1.3)),
    tool("plus", "Zoom in (+)", () => pane()?.zoom(1.3)),
    tool("fit", "Show all (f)", () => pane()?.fit()),
    tool("svg", "Save what is seen as SVG (s)", () => void exportAs(app, "svg")),
    tool("png", "Save what is seen as PNG", () => void exportAs(app, "png")),
    app.options.host.standalone && tool("link", "Copy a link to this view", () => void copyLink(app)),
    tool("theme", "Light or dark (l)", () => app.toggleTheme()),
    tool("keys", "Keys (?)", () => app.showKeys()),
    tool("details", "Details (d)", () => app.togglePane("right")),
  );
}
