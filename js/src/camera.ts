// Where the picture is on the screen.

import type { Rect } from "./picture";

/** A point of the picture is at `x + k * px`, `y + k * py` on the screen. */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly k: number;
}

export const LEAST = 0.001;
export const MOST = 4;
/** Below this scale texts of boxes are not legible and not drawn. */
export const LEGIBLE = 0.34;

const clampScale = (k: number) => Math.min(MOST, Math.max(LEAST, k));

/** Zoom by a factor about a point of the screen. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const k = clampScale(view.k * factor);
  const ratio = k / view.k;
  return { k, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Show all of a picture; of one that is too long to be seen as a whole, the beginning. */
export function fitted(picture: Rect, width: number, height: number, most = 1.15): View {
  const whole = Math.min(most, (width - 24) / picture.width, (height - 24) / picture.height) || 1;
  const k = clampScale(Math.max(whole, 30 / picture.width));
  if (picture.height * k > height) return { k, x: (width - picture.width * k) / 2 - picture.x * k, y: 12 };
  return {
    k,
    x: (width - picture.width * k) / 2 - picture.x * k,
    y: (height - picture.height * k) / 2 - picture.y * k,
  };
}

/** The first view: all of it if it stays legible so, else its start, at a legible size. */
export function firstView(picture: Rect, width: number, height: number): View {
  const all = fitted(picture, width, height);
  if (all.k >= 0.62) return all;
  const k = Math.min(1, Math.max(0.62, (width - 24) / picture.width));
  return { k, x: (width - picture.width * k) / 2, y: 12 };
}

/** The first view of a picture in which one place matters most: that place is in sight, and above the middle. */
export function firstViewOf(picture: Rect, place: Rect | null, width: number, height: number): View {
  const first = firstView(picture, width, height);
  if (!place) return first;
  const [left, top] = [first.x + place.x * first.k, first.y + place.y * first.k];
  const seen = left >= 0 && left + place.width * first.k <= width && top >= 0 && top + place.height * first.k <= height;
  if (seen) return first;
  const below = Math.max(8, (height - place.height * first.k) / 3);
  return {
    k: first.k,
    x: (width - place.width * first.k) / 2 - place.x * first.k,
    y: below - place.y * first.k,
  };
}

/** Move as little as needed to bring a rectangle into sight, zooming in if it would be illegible. */
export function revealed(view: View, rect: Rect, width: number, height: number): View {
  const k = view.k < 0.5 ? 0.8 : view.k;
  const base = k === view.k ? view : { k, x: 0, y: 0 };
  const margin = 48;
  const shift = (from: number, size: number, room: number, forced: boolean) => {
    if (forced || size > room - 2 * margin) return (size > room - 2 * margin ? margin : (room - size) / 2) - from;
    if (from < margin) return margin - from;
    return from + size > room - margin ? room - margin - from - size : 0;
  };
  const forced = base !== view;
  const [left, top] = [base.x + rect.x * k, base.y + rect.y * k];
  const seen = !forced && left < width - margin && left + rect.width * k > margin && top < height - margin && top > 0;
  if (seen && rect.height * k > height - 2 * margin) return view;
  return {
    k,
    x: base.x + shift(left, rect.width * k, width, forced),
    y: base.y + shift(top, rect.height * k, height, forced),
  };
}

/** Keep the top centre of a region where it was, if that leaves its beginning in sight. */
export function anchored({ x, y, k }: View, from: Rect, to: Rect, width: number): View {
  let left = x + k * (from.x + from.width / 2 - to.x - to.width / 2);
  if (to.width * k < width) left = Math.min(Math.max(left, 8 - to.x * k), width - 8 - (to.x + to.width) * k);
  return { k, x: left, y: Math.max(y + k * (from.y - to.y), 8 - to.y * k) };
}
