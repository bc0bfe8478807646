// The whole view: tabs, verdict, search, drawing, outline, details, tables, and the state that ties them.

import { actionsOf } from "./actions";
import { type Doc, openDoc } from "./doc";
import { h, replace } from "./dom";
import { Drawer } from "./drawer";
import type { Engine } from "./engine";
import { header } from "./header";
import type { Host, StateKey } from "./host";
import { Keeper } from "./keeper";
import { listenKeys, showKeys } from "./keys";
import type { Payload, Section } from "./payload";
import { SearchBox } from "./searchbox";
import { Session } from "./session";
import type { ViewState } from "./state";
import { tablesOf } from "./tables";
import { tabs } from "./tabs";
import { followTheme } from "./theme";

export interface AppOptions {
  readonly payload: Payload;
  readonly host: Host;
  readonly engine: Engine;
  readonly signal: AbortSignal;
}

/** What one view was left with, to come back to. */
type Kept = Partial<Pick<ViewState, "expanded" | "camera" | "selection" | "table">>;

let instances = 0;

export class App {
  session: Session | null = null;
  readonly search: SearchBox;
  readonly drawer: Drawer;
  state: ViewState;
  private readonly prefix = `gl${++instances}-`;
  private readonly docs = new Map<string, Doc>();
  private readonly kept = new Map<string, Kept>();
  private readonly setTheme: (theme: ViewState["theme"]) => void;
  private readonly bar = h("div", { class: "gl-top" });
  private readonly left = h("nav", { class: "gl-left", "aria-label": "Outline" });
  private readonly stage = h("div", { class: "gl-stage" });
  private readonly right = h("aside", { class: "gl-right", "aria-label": "Details" });
  private readonly keeper: Keeper;
  private life = new AbortController();
  private following = false;

  constructor(
    readonly root: HTMLElement,
    readonly options: AppOptions,
  ) {
    const { host, signal } = options;
    this.state = host.initial();
    this.keeper = new Keeper(host, signal);
    this.setTheme = followTheme(root, () => this.session?.repaint(), signal);
    this.setTheme(this.state.theme);
    this.drawer = new Drawer((table) => this.patch({ table }), signal);
    this.search = new SearchBox(
      {
        onFound: (boxes) => this.session?.pane.setHits(boxes),
        onGo: (box) => this.session?.select(box, true),
        onQuery: (query) => this.patch({ query }),
      },
      signal,
    );
    root.classList.add("graphlens");
    root.classList.toggle("gl-standalone", host.standalone);
    const main = h("div", { class: "gl-main" }, this.left, this.stage, this.right);
    replace(root, this.bar, main, this.drawer.element);
    listenKeys(host.standalone ? document : root, actionsOf(this), signal);
    signal.addEventListener("abort", () => this.life.abort());
    const resized = new ResizeObserver(() => this.onResize());
    resized.observe(root);
    signal.addEventListener("abort", () => resized.disconnect());
    host.onChange((changes) => this.follow(changes), signal);
  }

  get section(): Section {
    const { sections } = this.options.payload;
    return sections[Math.min(this.state.section, sections.length - 1)];
  }

  /** Show the section and view that the state names. */
  async open(): Promise<void> {
    this.life.abort();
    this.life = new AbortController();
    const { signal } = this.life;
    const { section } = this;
    const view = section.views[Math.min(this.state.view, section.views.length - 1)];
    const doc = view ? this.docOf(view) : null;
    replace(this.bar, ...header(this, signal));
    const tables = tablesOf(doc, section.tables, this.options.payload.strings, (box) =>
      this.session?.select(box, true),
    );
    const first = section.tables.length || doc?.diff ? (tables[0]?.title ?? "") : "";
    this.drawer.show(tables, this.state.table ?? first);
    this.root.classList.toggle("gl-no-graph", doc === null);
    if (!doc || !view) {
      this.session = null;
      replace(this.stage);
      this.search.show(null, "");
      this.setReady(0, 0);
      return;
    }
    const { expanded, camera } = this.state;
    const open = expanded ? expanded.flatMap((key) => doc.scene.regionByKey.get(key) ?? []) : view.open;
    const session = new Session({
      ...{ doc, engine: this.options.engine, prefix: this.prefix, open, signal },
      camera: camera && { x: camera[0], y: camera[1], k: camera[2] },
      takesWheel: () => this.options.host.standalone || this.root.contains(document.activeElement),
      onSelect: (entity) => {
        const selection = session.keyOf(entity);
        this.drawer.select(entity !== null && entity >= 0 ? entity : -1);
        if (selection !== this.state.selection) this.patch({ selection });
      },
      onOpen: (keys) => {
        if (this.following || session !== this.session) return;
        if (keys.join("\n") !== (this.state.expanded ?? session.keysOf(new Set(view.open))).join("\n"))
          this.patch({ expanded: keys });
      },
      onCamera: ({ x, y, k }) => this.patch({ camera: [round(x), round(y), Math.round(k * 1000) / 1000] }, 400),
      onState: (state, boxes, regions, notes) => {
        if (state === "ready") this.setReady(boxes, regions, notes);
        else this.root.dataset.state = "loading";
      },
    });
    this.session = session;
    replace(this.left, session.outline.element);
    replace(this.right, session.details.element);
    replace(this.stage, session.pane.element, session.minimap.element, this.notes, session.spoken);
    this.search.show(doc, this.state.query);
    await session.start();
    if (this.state.selection) session.selectKey(this.state.selection);
  }

  private readonly notes = h("div", { class: "gl-notes", role: "status" });

  private setReady(boxes: number, regions: number, notes: readonly string[] = []): void {
    const { dataset } = this.root;
    dataset.nodes = String(boxes);
    dataset.regions = String(regions);
    dataset.state = "ready";
    this.notes.textContent = notes.join(" ");
    this.notes.hidden = !notes.length;
  }

  private docOf(view: Section["views"][number]): Doc {
    const key = `${view.kind} ${view.index}`;
    const doc = this.docs.get(key) ?? openDoc(this.options.payload, view);
    this.docs.set(key, doc);
    return doc;
  }

  /** Show another tab; what was left is kept for coming back. */
  go(section: number, view: number): void {
    const { state } = this;
    if (section === state.section && view === state.view) return;
    const { expanded, camera, selection, table } = state;
    this.kept.set(`${state.section}.${state.view}`, { expanded, camera, selection, table });
    const back = this.kept.get(`${section}.${view}`) ?? {
      expanded: null,
      camera: null,
      selection: "",
      table: section === state.section ? table : null,
    };
    this.patch({ section, view, ...back });
    void this.open();
  }

  /** Change the state and let the host keep it, after a pause where it changes often. */
  patch(changes: Partial<ViewState>, pause = 0): void {
    this.state = { ...this.state, ...changes };
    this.keeper.keep(this.state, Object.keys(changes) as StateKey[], pause);
  }

  /** Take over changes that were made elsewhere. */
  private follow(changes: Partial<ViewState>): void {
    const before = this.state;
    this.state = { ...before, ...changes };
    const { section, view, theme, query, selection, expanded } = this.state;
    if (theme !== before.theme) this.setTheme(theme);
    this.following = true;
    if (section !== before.section || view !== before.view) {
      this.state = { ...this.state, ...(changes.expanded === undefined ? { expanded: null, camera: null } : {}) };
      void this.open();
    } else {
      if (expanded && expanded.join("\n") !== before.expanded?.join("\n")) this.session?.openKeys(expanded);
      if (query !== before.query) this.search.show(this.session?.doc ?? null, query);
      if (selection !== before.selection) this.session?.selectKey(selection);
    }
    this.following = false;
  }

  toggleTheme(): void {
    const theme = this.root.dataset.mode === "dark" ? "light" : "dark";
    this.setTheme(theme);
    this.patch({ theme });
  }

  /** Show or hide a side pane. */
  togglePane(name: "left" | "right"): void {
    const shown = getComputedStyle(this[name]).display !== "none";
    this.root.classList.toggle(`gl-hide-${name}`, shown);
    this.root.classList.toggle(`gl-show-${name}`, !shown);
  }

  showKeys(): void {
    showKeys(this.root, actionsOf(this));
  }

  /** Say something for a moment. */
  tell(text: string): void {
    const before = this.notes.textContent;
    this.notes.textContent = text;
    this.notes.hidden = false;
    setTimeout(() => {
      if (this.notes.textContent !== text) return;
      this.notes.textContent = before;
      this.notes.hidden = !before;
    }, 2500);
  }

  private onResize(): void {
    const { clientWidth } = this.root;
    this.root.classList.toggle("gl-narrow", clientWidth < 1000);
    this.root.classList.toggle("gl-slim", clientWidth < 640);
  }

  tabsOf(name: string, items: Parameters<typeof tabs>[1], chosen: number, onChoose: (i: number) => void): HTMLElement {
    return tabs(name, items, chosen, onChoose, this.life.signal);
  }
}

const round = (value: number) => Math.round(value);
