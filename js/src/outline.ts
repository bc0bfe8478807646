// The regions of a document as a tree, for reading and for keyboards and screen readers.

import { type Differences, differences, tallyClass, tallyText } from "./differences";
import type { Doc } from "./doc";
import { h, replace } from "./dom";
import { type Entity, isRegion, regionEntity, regionOf } from "./lift";
import { around, type Region } from "./scene";

export interface OutlineEvents {
  readonly onSelect: (entity: Entity) => void;
  readonly onToggle: (region: number) => void;
}

export class Outline {
  readonly element: HTMLElement;
  private readonly opened = new Set<number>([0]);
  private readonly counts: Differences;
  private current = 0;

  constructor(
    private readonly doc: Doc,
    private readonly events: OutlineEvents,
    open: Iterable<number>,
    signal: AbortSignal,
  ) {
    for (const region of open) this.opened.add(region);
    this.counts = differences(doc);
    this.element = h("ul", { class: "gl-tree", role: "tree", "aria-label": "Regions" });
    this.element.addEventListener("click", (event) => this.onClick(event), { signal });
    this.element.addEventListener("dblclick", (event) => this.onDoubleClick(event), { signal });
    this.element.addEventListener("keydown", (event) => this.onKey(event), { signal });
    this.render();
  }

  /** Show where the selection is. */
  select(entity: Entity | null): void {
    const { scene } = this.doc;
    const regions = entity === null ? [0] : isRegion(entity) ? this.upFrom(regionOf(entity)) : around(scene, entity);
    this.current = regions[0];
    for (const region of regions.slice(1)) this.opened.add(region);
    this.render();
    this.itemOf(this.current)?.scrollIntoView({ block: "nearest" });
  }

  private upFrom(region: number): number[] {
    const found: number[] = [];
    for (let up = region; up >= 0; up = this.doc.scene.regions[up].parent) found.push(up);
    return found;
  }

  private render(): void {
    const rows = this.visibleRows().map(([region, level]) => this.item(region, level));
    replace(this.element, ...rows);
  }

  /** Regions in reading order, with their level, down to what is folded in the tree. */
  private visibleRows(): [Region, number][] {
    const { regions } = this.doc.scene;
    const rows: [Region, number][] = [];
    const pending: [number, number][] = [[0, 1]];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const [id, level] = next;
      rows.push([regions[id], level]);
      if (!this.opened.has(id)) continue;
      for (const child of sorted(regions, regions[id]).reverse()) pending.push([child, level + 1]);
    }
    return rows;
  }

  private item(region: Region, level: number): HTMLLIElement {
    const inner = region.children.length > 0;
    const tally = this.counts[region.id];
    const item = h(
      "li",
      {
        role: "treeitem",
        "data-region": region.id,
        "aria-level": level,
        "aria-selected": region.id === this.current ? "true" : "false",
        "aria-expanded": inner ? String(this.opened.has(region.id)) : undefined,
        tabindex: region.id === this.current ? 0 : -1,
        class: `gl-tree-item gl-r-${region.kind}`,
        title: [region.path || region.label, region.type, `${region.size} nodes`, tally.words]
          .filter(Boolean)
          .join(" · "),
      },
      h("span", { class: "gl-twist", "aria-hidden": "true" }, inner ? (this.opened.has(region.id) ? "▾" : "▸") : ""),
      h("span", { class: "gl-tree-label" }, region.id === 0 ? "program" : region.label),
      h("span", { class: "gl-tree-note" }, region.kind === "repeat" ? `×${region.children.length}` : region.type),
      tally.count > 0 &&
        h(
          "span",
          { class: `gl-tree-count ${tallyClass(tally)}` },
          h("span", { "aria-hidden": "true" }, tallyText(tally)),
          h("span", { class: "gl-hidden" }, tally.words),
        ),
    );
    item.style.paddingLeft = `${4 + (level - 1) * 12}px`;
    return item;
  }

  private itemOf(region: number): HTMLElement | null {
    return this.element.querySelector(`[data-region="${region}"]`);
  }

  private regionAt(event: Event): number | null {
    const text = (event.target as Element).closest<HTMLElement>("[data-region]")?.dataset.region;
    return text === undefined ? null : Number(text);
  }

  private onClick(event: Event): void {
    const region = this.regionAt(event);
    if (region === null) return;
    if ((event.target as Element).closest(".gl-twist")) this.fold(region, !this.opened.has(region));
    else this.events.onSelect(regionEntity(region));
  }

  private onDoubleClick(event: Event): void {
    const region = this.regionAt(event);
    if (region) this.events.onToggle(region);
  }

  private fold(region: number, open: boolean): void {
    if (open) this.opened.add(region);
    else this.opened.delete(region);
    this.render();
    this.itemOf(this.current)?.focus();
  }

  private onKey(event: KeyboardEvent): void {
    const rows = this.visibleRows().map(([region]) => region.id);
    const at = rows.indexOf(this.current);
    const { children, parent } = this.doc.scene.regions[this.current];
    const open = this.opened.has(this.current);
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.move(rows[at + 1]),
      ArrowUp: () => this.move(rows[at - 1]),
      Home: () => this.move(rows[0]),
      End: () => this.move(rows[rows.length - 1]),
      ArrowRight: () => (children.length && !open ? this.fold(this.current, true) : this.move(rows[at + 1])),
      ArrowLeft: () => (children.length && open ? this.fold(this.current, false) : this.move(parent)),
      Enter: () => this.events.onSelect(regionEntity(this.current)),
      " ": () => this.events.onToggle(this.current),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    move();
  }

  private move(region: number | undefined): void {
    if (region === undefined || region < 0) return;
    this.current = region;
    this.render();
    this.itemOf(region)?.focus();
  }
}

function sorted(regions: readonly Region[], region: Region): number[] {
  return region.children.slice().sort((a, b) => regions[a].first - regions[b].first);
}
