// One document on the screen: drawing, outline and details move together.

import type { View } from "./camera";
import { Details } from "./details";
import { type Doc, nodeName } from "./doc";
import { h } from "./dom";
import type { Engine } from "./engine";
import { GraphPane } from "./graph_pane";
import { type Entity, isRegion, regionEntity, regionOf } from "./lift";
import { Minimap } from "./minimap";
import { Outline } from "./outline";

export interface SessionEvents {
  readonly onSelect: (entity: Entity | null) => void;
  readonly onOpen: (keys: readonly string[]) => void;
  readonly onCamera: (view: View) => void;
  readonly onState: (state: "loading" | "ready", boxes: number, regions: number, notes: readonly string[]) => void;
}

export interface SessionOptions extends SessionEvents {
  readonly doc: Doc;
  readonly engine: Engine;
  readonly prefix: string;
  readonly open: readonly number[];
  readonly camera: View | null;
  readonly takesWheel: () => boolean;
  readonly signal: AbortSignal;
}

export class Session {
  readonly doc: Doc;
  readonly pane: GraphPane;
  readonly outline: Outline;
  readonly details: Details;
  readonly minimap: Minimap;
  readonly spoken = h("div", { class: "gl-hidden", "aria-live": "polite" });
  selected: Entity | null = null;

  constructor(private readonly options: SessionOptions) {
    const { doc, engine, prefix, open, camera, takesWheel, signal } = options;
    this.doc = doc;
    this.pane = new GraphPane({
      ...{ doc, engine, prefix, open, camera, takesWheel, signal },
      onSelect: (entity) => this.select(entity, false),
      onBusy: () => options.onState("loading", 0, 0, []),
      onReady: (boxes, regions, notes) => options.onState("ready", boxes, regions, notes),
      onOpen: (regions) => options.onOpen(this.keysOf(regions)),
      onCamera: (view, picture, chosen) => {
        this.minimap.update(picture, view, ...this.pane.size());
        if (chosen) options.onCamera(view);
      },
    });
    this.minimap = new Minimap((x, y) => this.centre(x, y), signal);
    this.outline = new Outline(
      doc,
      { onSelect: (entity) => this.select(entity, true), onToggle: (region) => this.toggle(region) },
      open,
      signal,
    );
    this.details = new Details(doc, {
      onBox: (box) => this.select(box, true),
      onRegion: (region) => this.select(regionEntity(region), true),
    });
    this.details.show(null);
  }

  /** Draw, with these regions open. */
  start(): Promise<void> {
    return this.pane.setOpen(this.options.open);
  }

  /** Select something everywhere; `reveal` opens what is around it. */
  select(entity: Entity | null, reveal: boolean): void {
    const chosen = entity === null ? null : this.normal(entity);
    this.selected = chosen;
    void this.pane.select(chosen, reveal);
    this.outline.select(chosen);
    this.details.show(chosen);
    this.spoken.textContent = chosen === null ? "" : this.say(chosen);
    this.options.onSelect(chosen);
  }

  /** Select by key, as links and Python have it; "" selects nothing. */
  selectKey(key: string): void {
    if (key === this.keyOf(this.selected)) return;
    const { boxByKey, regionByKey } = this.doc.scene;
    const box = boxByKey.get(key);
    const region = regionByKey.get(key);
    this.select(box ?? (region === undefined ? null : regionEntity(region)), true);
  }

  keyOf(entity: Entity | null): string {
    if (entity === null) return "";
    return isRegion(entity) ? this.doc.scene.regions[regionOf(entity)].key : this.doc.scene.boxes[entity].key;
  }

  keysOf(regions: Iterable<number>): string[] {
    return [...regions]
      .filter((id) => id > 0)
      .sort((a, b) => a - b)
      .map((id) => this.doc.scene.regions[id].key);
  }

  /** Open these regions, by key; unknown keys are passed over. */
  openKeys(keys: readonly string[]): void {
    const ids = keys.flatMap((key) => this.doc.scene.regionByKey.get(key) ?? []);
    const now = this.keysOf(this.pane.openSet()).join("\n");
    if (this.keysOf(new Set(ids)).join("\n") !== now) void this.pane.setOpen(ids);
  }

  /** Open or close a region, the selected one if none is given. */
  toggle(region?: number): void {
    const id = region ?? this.selectedRegion();
    if (id > 0) this.pane.toggle(id);
  }

  /** Select the region around the selection. */
  up(): void {
    const { selected, doc } = this;
    if (selected === null) return;
    const { regions, boxes } = doc.scene;
    const inner = this.selectedRegion();
    const outer = inner > 0 ? regions[inner].parent : isRegion(selected) ? 0 : boxes[selected].region;
    this.select(outer > 0 ? regionEntity(outer) : null, true);
  }

  /** Open everything inside the selected region, or close all of it. */
  openInside(open: boolean): void {
    const { regions } = this.doc.scene;
    const top = this.selectedRegion();
    const next = new Set(this.pane.openSet());
    const pending = [top];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (open) next.add(id);
      else next.delete(id);
      pending.push(...regions[id].children);
    }
    void this.pane.setOpen(next, top > 0 ? regionEntity(top) : null);
  }

  /** The region that is selected, a call's too; 0 if none is. */
  private selectedRegion(): number {
    const { selected, doc } = this;
    if (selected === null) return 0;
    return isRegion(selected) ? regionOf(selected) : Math.max(0, doc.scene.boxes[selected].call);
  }

  /** A call is its box, whether drawn as a box or as a region. */
  private normal(entity: Entity): Entity | null {
    if (!isRegion(entity)) return entity;
    const { kind, owner } = this.doc.scene.regions[regionOf(entity)];
    if (kind === "call") return owner;
    return regionOf(entity) === 0 ? null : entity;
  }

  private say(entity: Entity): string {
    const { scene } = this.doc;
    if (isRegion(entity)) {
      const { label, type, size } = scene.regions[regionOf(entity)];
      return `region ${label} ${type}, ${size} nodes, ${this.pane.isOpen(regionOf(entity)) ? "open" : "closed"}`;
    }
    const { label, sub } = scene.boxes[entity];
    const status = this.doc.diff ? `, ${this.doc.status(entity).replace("_", " ")}` : "";
    return `${nodeName(this.doc, entity)}, ${label}, ${sub}${status}`;
  }

  /** Draw again what is not styled by the sheet. */
  repaint(): void {
    this.minimap.reset();
    this.pane.setView(this.pane.view, false);
  }

  private centre(x: number, y: number): void {
    const [width, height] = this.pane.size();
    const { k } = this.pane.view;
    this.pane.setView({ k, x: width / 2 - x * k, y: height / 2 - y * k });
  }
}
