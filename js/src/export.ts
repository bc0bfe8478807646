// What is seen, as an SVG or PNG file that stands on its own, or as a link.

import type { App } from "./app";
import { s } from "./dom";

/** Properties that the style sheet gives and a file must carry itself. */
const KEPT = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin"],
  ...["font-family", "font-size", "font-weight", "opacity", "paint-order", "text-anchor", "text-decoration"],
];
const DEFAULTS: Readonly<Record<string, string>> = {
  "fill-opacity": "1",
  "stroke-dasharray": "none",
  "stroke-linecap": "butt",
  "stroke-linejoin": "miter",
  opacity: "1",
  "paint-order": "normal",
  "text-anchor": "start",
  "text-decoration": "none",
};

/** Copy a drawing with its colours and type written into it. */
export function standaloneSvg(svg: SVGSVGElement, background: string): string {
  const { clientWidth: width, clientHeight: height } = svg;
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const [from, to] = [[...svg.querySelectorAll("*")], [...copy.querySelectorAll("*")]];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of KEPT) {
      const value = style.getPropertyValue(name);
      if (value && !value.startsWith(DEFAULTS[name] ?? "\0"))
        to[i].setAttribute(name, value.replace("context-stroke", "#98a1b0"));
    }
    for (const name of ["class", "role", "aria-label", "aria-hidden", "data-entity", "data-box", "data-toggle"])
      to[i].removeAttribute(name);
  });
  for (const name of ["class", "role"]) copy.removeAttribute(name);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.prepend(s("rect", { width, height, fill: background }));
  return new XMLSerializer().serializeToString(copy);
}

/** Rasterize an SVG text at twice its size. */
export async function pngOf(svg: string, width: number, height: number): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width * 2;
  canvas.height = height * 2;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser made no PNG"))), "image/png");
  });
}

/** Let the reader save a file. */
export function save(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Save what a view shows. */
export async function exportAs({ session, section }: App, kind: "svg" | "png"): Promise<void> {
  if (!session) return;
  const { pane } = session;
  const svg = standaloneSvg(pane.svg, getComputedStyle(pane.element).backgroundColor);
  const name = `${section.title.replace(/[^\w.-]+/g, "-").slice(0, 60) || "graph"}.${kind}`;
  if (kind === "svg") save(name, new Blob([svg], { type: "image/svg+xml" }));
  else save(name, await pngOf(svg, ...pane.size()));
}

/** Put a link to this view on the clipboard. */
export async function copyLink(app: App): Promise<void> {
  const link = app.options.host.link(app.state);
  if (!link) return;
  const copied = await navigator.clipboard?.writeText(link).then(
    () => true,
    () => false,
  );
  app.tell(copied ? "Link copied." : "The link is in the address bar.");
}
