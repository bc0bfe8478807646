// The gestures that move the picture.

import { type View, zoomed } from "./camera";

export interface GestureHandlers {
  readonly get: () => View;
  readonly set: (view: View) => void;
  /** Whether the plain wheel belongs to the picture (else to the page around it). */
  readonly takesWheel: () => boolean;
}

/** Pan by drag and wheel, zoom by pinch and Ctrl+wheel. */
export function listen(element: HTMLElement, handlers: GestureHandlers, signal: AbortSignal): void {
  const local = (event: MouseEvent): [number, number] => {
    const rect = element.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  };
  const onWheel = (event: WheelEvent) => {
    const zoom = event.ctrlKey || event.metaKey;
    if (!zoom && !handlers.takesWheel()) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const view = handlers.get();
    if (zoom) {
      const factor = Math.exp(-Math.max(-60, Math.min(60, event.deltaY * unit)) * 0.008);
      handlers.set(zoomed(view, factor, ...local(event)));
    } else {
      const sideways = event.shiftKey && !event.deltaX;
      const [dx, dy] = sideways ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
      handlers.set({ ...view, x: view.x - dx * unit, y: view.y - dy * unit });
    }
  };
  element.addEventListener("wheel", onWheel, { passive: false, signal });
  listenDrag(element, handlers, signal);
}

function listenDrag(element: HTMLElement, handlers: GestureHandlers, signal: AbortSignal): void {
  let from: { x: number; y: number; view: View; moved: boolean } | null = null;
  const onDown = (event: PointerEvent) => {
    if (event.button > 1) return;
    from = { x: event.clientX, y: event.clientY, view: handlers.get(), moved: false };
  };
  const onMove = (event: PointerEvent) => {
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!from.moved && Math.hypot(dx, dy) < 4) return;
    if (!from.moved) element.setPointerCapture(event.pointerId);
    from.moved = true;
    element.classList.add("gl-dragging");
    handlers.set({ ...from.view, x: from.view.x + dx, y: from.view.y + dy });
  };
  const onUp = () => {
    if (from?.moved) {
      const swallow = (event: Event) => event.stopPropagation();
      element.addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => element.removeEventListener("click", swallow, { capture: true }), 0);
    }
    from = null;
    element.classList.remove("gl-dragging");
  };
  element.addEventListener("pointerdown", onDown, { signal });
  element.addEventListener("pointermove", onMove, { signal });
  element.addEventListener("pointerup", onUp, { signal });
  element.addEventListener("pointercancel", onUp, { signal });
}
