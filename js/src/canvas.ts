// The element that the drawing stands in.

import { h, s } from "./dom";

const NAME = "Graph. Arrow keys follow the flow, Enter opens or closes a region, question mark lists all keys.";

/** Make the canvas around the group that is panned and zoomed; `prefix` keeps ids apart from other views'. */
export function canvasOf(world: SVGGElement, prefix: string): { svg: SVGSVGElement; element: HTMLElement } {
  const tip = s("path", { d: "M0 0.5L7 3.5L0 6.5z" });
  const arrow = { id: `${prefix}arrow`, viewBox: "0 0 7 7", refX: 6.5, refY: 3.5, markerWidth: 7, markerHeight: 7 };
  const marker = s("marker", { ...arrow, orient: "auto", markerUnits: "userSpaceOnUse", class: "gl-arrow" }, tip);
  const svg = s("svg", { class: "gl-svg", role: "presentation" }, s("defs", {}, marker), world);
  const spoken = { role: "application", "aria-roledescription": "graph", "aria-label": NAME };
  // JupyterLab before 4.1 sees keys before we do, and leaves those alone that are pressed in such an element.
  const keys = { tabindex: 0, "data-lm-suppress-shortcuts": "true" };
  return { svg, element: h("div", { class: "gl-canvas", ...keys, ...spoken }, svg) };
}
