// How wide a text is, without asking the page: the same in the kernel, in a worker and in every browser.

// Advance widths of Helvetica (Adobe font metrics, 1/1000 em) for U+0020 to U+007E. Arial and Liberation Sans agree.
const WIDTHS = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
  556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
  722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
  556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
  260, 334, 584,
];
const BOLD = 1.07;

/** Estimate the width of a text in pixels at a font size; letters beyond ASCII count as wide. */
export function textWidth(text: string, size: number, bold = false): number {
  let units = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    units += WIDTHS[code - 32] ?? (code < 0x1100 ? 600 : 1000);
  }
  return (units * size * (bold ? BOLD : 1)) / 1000;
}

/** Shorten a text to a width, keeping its start and, of names, its end. */
export function fitText(text: string, size: number, width: number, bold = false, keepEnd = true): string {
  if (textWidth(text, size, bold) <= width) return text;
  const letters = [...text];
  let low = 1;
  let high = letters.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (textWidth(cut(letters, middle, keepEnd), size, bold) <= width) low = middle;
    else high = middle - 1;
  }
  return cut(letters, low, keepEnd);
}

function cut(letters: readonly string[], keep: number, keepEnd: boolean): string {
  const tail = keepEnd ? Math.floor(keep / 3) : 0;
  return `${letters.slice(0, keep - tail).join("")}…${tail ? letters.slice(-tail).join("") : ""}`;
}
