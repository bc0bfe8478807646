// The only way elements are made here: text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Node | string | null | undefined | false;

/** Control characters but tab and newline, and what turns the direction of text around. */
const UNSEEN = /(?![\t\n])[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Text as it is shown: what cannot be seen, or would hide or turn around other text, is written out. */
export const shown = (text: string): string =>
  text.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Attributes that people read or hear. */
const READ = new Set(["title", "aria-label"]);

function fill(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    const text = value === true ? "" : String(value);
    element.setAttribute(name, READ.has(name) ? shown(text) : text);
  }
  for (const child of children) {
    if (child) element.append(typeof child === "string" ? shown(child) : child);
  }
}

/** Make an HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** Make an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag) as SVGElementTagNameMap[K];
  fill(element, attributes, children);
  return element;
}

/** Make a button with a visible or only spoken name. */
export function button(
  name: string,
  onClick: (event: MouseEvent) => void,
  options: { icon?: SVGElement; class?: string; hint?: string; signal: AbortSignal },
): HTMLButtonElement {
  const { icon, signal } = options;
  const element = h("button", {
    type: "button",
    class: options.class ?? (icon ? "gl-icon-button" : "gl-button"),
    title: options.hint ?? name,
    "aria-label": name,
  });
  element.append(icon ?? name);
  element.addEventListener("click", onClick, { signal });
  return element;
}

/** Draw a 16 x 16 icon from path data. */
export function icon(path: string): SVGSVGElement {
  return s(
    "svg",
    { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "gl-icon" },
    s("path", { d: path }),
  );
}

/** Put other children in place of those there. */
export function replace(element: Element, ...children: Child[]): void {
  const kept = children.filter((child): child is Node | string => Boolean(child));
  element.replaceChildren(...kept.map((child) => (typeof child === "string" ? shown(child) : child)));
}
