// The pane that shows the drawing: layout, camera, selection, expanding in place.

import { anchored, firstViewOf, fitted, revealed, type View, zoomed } from "./camera";
import { canvasOf } from "./canvas";
import { compose, type LayoutCache } from "./compose";
import { differences } from "./differences";
import type { Doc } from "./doc";
import type { Engine } from "./engine";
import { drawnAs, type Focus, focusOn } from "./focus";
import { listen } from "./gestures";
import { type Entity, isRegion, regionEntity, regionOf } from "./lift";
import { Painter } from "./paint";
import { type Picture, pictureOf, placeAt } from "./picture";
import { around } from "./scene";
import { step, topmost, visible, type Way } from "./walk";

export interface PaneEvents {
  /** Something was chosen in the drawing. */
  readonly onSelect: (entity: Entity | null) => void;
  /** The drawing is complete: how many boxes and open regions it has. */
  readonly onReady: (boxes: number, regions: number, notes: readonly string[]) => void;
  readonly onBusy: () => void;
  readonly onOpen: (open: ReadonlySet<number>) => void;
  /** The picture is seen from `view`; `chosen` if the reader or a link chose that. */
  readonly onCamera: (view: View, picture: Picture, chosen: boolean) => void;
}

export interface PaneOptions extends PaneEvents {
  readonly doc: Doc;
  readonly engine: Engine;
  readonly prefix: string;
  readonly open: Iterable<number>;
  readonly camera: View | null;
  readonly signal: AbortSignal;
  readonly takesWheel: () => boolean;
}

export class GraphPane {
  readonly element: HTMLElement;
  readonly svg: SVGSVGElement;
  picture: Picture | null = null;
  view: View;
  private open: Set<number>;
  private focus: Focus;
  private readonly painter: Painter;
  private readonly cache: LayoutCache = new Map();
  private turn = 0;
  private frame = 0;
  private placed: boolean;
  private hidden = false;
  private chosen = false;

  constructor(private readonly options: PaneOptions) {
    const { doc, prefix, signal } = options;
    this.open = new Set([0, ...options.open]);
    this.focus = focusOn(doc.scene, null, []);
    this.view = options.camera ?? { x: 0, y: 0, k: 1 };
    this.placed = options.camera !== null;
    this.painter = new Painter({ doc, counts: differences(doc), prefix }, () => this.ready());
    const { svg, element } = canvasOf(this.painter.world, prefix);
    this.svg = svg;
    this.element = element;
    listen(
      this.element,
      { get: () => this.view, set: (view) => this.setView(view), takesWheel: options.takesWheel },
      signal,
    );
    this.element.addEventListener("click", (event) => this.onClick(event), { signal });
    this.element.addEventListener("dblclick", (event) => this.onDoubleClick(event), { signal });
    const resized = new ResizeObserver(() => this.onResize());
    resized.observe(this.element);
    signal.addEventListener("abort", () => {
      resized.disconnect();
      this.painter.stop();
      cancelAnimationFrame(this.frame);
    });
  }

  /** Draw with these regions open. `anchor` keeps its place on the screen. */
  async setOpen(open: Iterable<number>, anchor: Entity | null = null): Promise<void> {
    const turn = ++this.turn;
    this.open = new Set([0, ...open]);
    this.options.onOpen(this.open);
    this.options.onBusy();
    const layout = await compose(this.options.doc, this.open, this.options.engine, this.cache);
    const picture = await pictureOf(this.options.doc, layout);
    if (turn !== this.turn || this.options.signal.aborted) return;
    const before = this.view;
    const [from, to] = [
      anchor !== null && this.picture?.places.get(anchor),
      anchor !== null && picture.places.get(anchor),
    ];
    if (from && to) this.view = anchored(this.view, from, to, this.size()[0]);
    const still = !this.picture || matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.picture = picture;
    if (!this.placed) {
      this.view = this.firstView(picture);
      this.hidden = this.element.clientWidth === 0;
    }
    this.placed = true;
    this.painter.setPicture(picture, before, this.view, still);
    this.refresh();
  }

  toggle(region: number): void {
    const open = new Set(this.open);
    if (open.has(region)) open.delete(region);
    else for (const id of this.unit(region)) open.add(id);
    void this.setOpen(open, regionEntity(region));
  }

  /** A region and, for a call, its nested graphs with it. */
  private unit(region: number): number[] {
    const { kind, children } = this.options.doc.scene.regions[region];
    return kind === "call" ? [region, ...children] : [region];
  }

  isOpen(region: number): boolean {
    return this.open.has(region);
  }

  openSet(): ReadonlySet<number> {
    return this.open;
  }

  /** Mark a selection and bring it into sight, opening what is around it. */
  async select(entity: Entity | null, reveal: boolean): Promise<void> {
    const { scene } = this.options.doc;
    this.setFocus(focusOn(scene, entity, []), true);
    if (entity === null) return;
    const drawn = drawnAs(scene, entity);
    if (reveal) {
      const regions = isRegion(drawn) ? this.above(regionOf(drawn)) : around(scene, drawn);
      if (regions.some((region) => !this.open.has(region))) {
        await this.setOpen([...this.open, ...regions]);
      }
    }
    const place = this.picture?.places.get(drawn);
    if (place) this.setView(revealed(this.view, place, ...this.size()));
  }

  private above(region: number): number[] {
    const found: number[] = [];
    const { regions } = this.options.doc.scene;
    for (let up = regions[region].parent; up >= 0; up = regions[up].parent) found.push(up);
    return found;
  }

  /** Mark what a search found. */
  setHits(boxes: Iterable<number>): void {
    this.setFocus(focusOn(this.options.doc.scene, this.focus.selected, boxes), false);
  }

  private setFocus(focus: Focus, keepHits: boolean): void {
    this.focus = keepHits ? { ...focus, hits: this.focus.hits } : focus;
    this.painter.mark(this.focus);
    const { selected, scene } = this.focus;
    const element = selected === null ? null : this.painter.elementOf(drawnAs(scene, selected));
    if (element) this.element.setAttribute("aria-activedescendant", element.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  setView(view: View, chosen = true): void {
    this.view = view;
    this.chosen ||= chosen;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.refresh());
  }

  fit(): void {
    if (this.picture) this.setView(fitted(this.picture, ...this.size()));
  }

  zoom(factor: number): void {
    const [width, height] = this.size();
    this.setView(zoomed(this.view, factor, width / 2, height / 2));
  }

  /** Move along the flow or across, from what is selected; from the first box if nothing is. */
  walk(way: Way): void {
    const { picture } = this;
    const { scene } = this.options.doc;
    if (!picture) return;
    const { selected } = this.focus;
    const from = selected === null ? null : this.visibleOf(selected, picture);
    const next = from === null ? topmost(picture) : step(scene, picture, from, way);
    if (next !== null) this.options.onSelect(next);
  }

  private visibleOf(entity: Entity, picture: Picture): Entity | null {
    const drawn = drawnAs(this.options.doc.scene, entity);
    if (picture.places.has(drawn) || isRegion(drawn)) return picture.places.has(drawn) ? drawn : null;
    return visible(this.options.doc.scene, picture, drawn);
  }

  size(): [number, number] {
    return [this.element.clientWidth || 800, this.element.clientHeight || 500];
  }

  /** A view that was drawn while it was hidden chooses its place when it first has a size. */
  private onResize(): void {
    if (!this.picture) return;
    const hidden = this.hidden;
    this.hidden = this.element.clientWidth === 0;
    this.setView(hidden && !this.hidden ? this.firstView(this.picture) : this.view, false);
  }

  /** Where a reader starts: at the worst difference, else at the beginning. */
  private firstView(picture: Picture): View {
    const { doc } = this.options;
    const worst = doc.diff?.summary.boxes.find((box) => box >= 0);
    const drawn = worst === undefined ? null : visible(doc.scene, picture, worst);
    return firstViewOf(picture, (drawn !== null && picture.places.get(drawn)) || null, ...this.size());
  }

  private refresh(): void {
    if (!this.picture) return;
    this.painter.refresh(this.view, ...this.size(), this.focus);
    this.options.onCamera(this.view, this.picture, this.chosen);
  }

  private ready(): void {
    const { picture } = this;
    if (!picture) return;
    this.painter.mark(this.focus);
    const boxes = picture.cells.reduce((sum, cell) => sum + cell.shapes.length, 0);
    this.options.onReady(boxes, picture.cells.length, picture.notes);
  }

  private onClick(event: MouseEvent): void {
    this.element.focus({ preventScroll: true });
    const target = event.target as Element;
    const linked = target.closest("[data-box]")?.getAttribute("data-box");
    const entity = linked ? Number(linked) : this.entityAt(event);
    if (entity !== null && isRegion(entity) && target.closest("[data-toggle]")) this.toggle(regionOf(entity));
    else this.options.onSelect(entity);
  }

  private onDoubleClick(event: MouseEvent): void {
    const entity = this.entityAt(event);
    const inside = (event.target as Element).closest(".gl-pane");
    if (entity !== null && isRegion(entity) && !inside) this.toggle(regionOf(entity));
  }

  /** The innermost thing at a place on the screen. */
  private entityAt(event: MouseEvent): Entity | null {
    const found = (event.target as Element).closest("[data-entity]")?.getAttribute("data-entity");
    if (found) return Number(found);
    const rect = this.element.getBoundingClientRect();
    const x = (event.clientX - rect.left - this.view.x) / this.view.k;
    const y = (event.clientY - rect.top - this.view.y) / this.view.k;
    return this.picture && placeAt(this.picture, x, y);
  }
}
