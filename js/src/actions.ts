// What keys do, by name.

import type { App } from "./app";
import { exportAs } from "./export";
import type { KeyAction } from "./keys";

/** The keys of the view, in the order in which they are listed. */
export function actionsOf(app: App): KeyAction[] {
  const at = (step: number) => () => {
    const count = app.section.views.length;
    if (count > 1) app.go(app.state.section, (app.state.view + step + count) % count);
  };
  const pane = () => app.session?.pane;
  return [
    { keys: ["ArrowUp"], name: "Go to an operand, or to the region around", run: () => pane()?.walk("up") },
    { keys: ["ArrowDown"], name: "Go to a user, or into an open region", run: () => pane()?.walk("down") },
    { keys: ["ArrowLeft"], name: "Go to the neighbour on the left", run: () => pane()?.walk("left") },
    { keys: ["ArrowRight"], name: "Go to the neighbour on the right", run: () => pane()?.walk("right") },
    { keys: ["Enter", " "], name: "Open or close the selected region", run: () => app.session?.toggle() },
    { keys: ["Backspace"], name: "Go to the region around", run: () => app.session?.up() },
    { keys: ["e"], name: "Open everything inside the selection", run: () => app.session?.openInside(true) },
    { keys: ["c"], name: "Close everything inside the selection", run: () => app.session?.openInside(false) },
    { keys: ["/"], name: "Search", run: () => app.search.focus() },
    { keys: ["n"], name: "Next result; while nothing is searched, the next difference", run: () => app.search.go(1) },
    { keys: ["p"], name: "Previous result or difference", run: () => app.search.go(-1) },
    { keys: ["+", "="], name: "Zoom in", run: () => pane()?.zoom(1.3) },
    { keys: ["-"], name: "Zoom out", run: () => pane()?.zoom(1 / 1.3) },
    { keys: ["f", "0"], name: "Show all of it", run: () => pane()?.fit() },
    { keys: ["1"], name: "Actual size", run: () => pane()?.zoom(1 / (pane()?.view.k ?? 1)) },
    { keys: ["g"], name: "Bring the selection into sight", run: () => app.session?.select(app.session.selected, true) },
    { keys: ["o"], name: "Outline", run: () => app.togglePane("left") },
    { keys: ["d"], name: "Details", run: () => app.togglePane("right") },
    { keys: ["t"], name: "Tables", run: () => app.drawer.toggle() },
    { keys: ["["], name: "Previous view", run: at(-1) },
    { keys: ["]"], name: "Next view", run: at(1) },
    { keys: ["s"], name: "Save what is seen as SVG", run: () => void exportAs(app, "svg") },
    { keys: ["l"], name: "Light or dark", run: () => app.toggleTheme() },
    { keys: ["Escape"], name: "Select nothing", run: () => app.session?.select(null, false) },
    { keys: ["?"], name: "This list", run: () => app.showKeys() },
  ];
}
