import { describe, expect, it } from "vitest";
import { staticHost } from "./host";
import { anywidgetHost, type Model } from "./host_anywidget";
import { decodeState, encodeState, START, type ViewState } from "./state";

const STATE: ViewState = {
  section: 1,
  view: 2,
  expanded: ["#layers.0", "cond.true_fn#", "日本"],
  selection: "cond.true_fn/mul",
  query: "op:linear /\\S+/",
  camera: [-12, 40, 0.75],
  table: "Mismatches",
  theme: "dark",
};

describe("a link", () => {
  it("brings the same state back", () => {
    const fragment = encodeState(STATE);
    expect(fragment).toMatch(/^#state=[\w-]+$/);
    expect(decodeState(fragment)).toEqual(STATE);
  });

  it("is empty at the start", () => {
    expect(encodeState(START)).toBe("");
    expect(decodeState("")).toEqual(START);
  });

  it.each([
    "#state=%%%",
    "#state=e30x",
    "#other",
    `#state=${btoa('{"section":-1,"expanded":[1],"camera":[1,2],"theme":"x"}')}`,
  ])("passes over what it does not understand: %s", (fragment) => {
    expect(decodeState(fragment)).toEqual(START);
  });
});

describe("hosts", () => {
  it("keep the state of a report in its address", () => {
    const end = new AbortController();
    const host = staticHost();
    host.save(STATE, ["selection"]);
    expect(host.initial()).toEqual(STATE);
    expect(host.link(STATE)).toContain(encodeState(STATE));
    const heard: Partial<ViewState>[] = [];
    host.onChange((changes) => heard.push(changes), end.signal);
    window.location.hash = encodeState({ ...START, query: "relu" });
    window.dispatchEvent(new Event("hashchange"));
    expect(heard.at(-1)?.query).toBe("relu");
    end.abort();
  });

  it("share with Python the traits that it has, and no others", () => {
    const traits: Record<string, unknown> = { selection: "a", expanded: null, query: "" };
    const heard: Record<string, () => void> = {};
    const model: Model = {
      get: (name) => traits[name],
      set: (name, value) => {
        traits[name] = value;
      },
      save_changes: () => {},
      on: (event, callback) => {
        heard[event] = callback;
      },
      off: (event) => {
        delete heard[event];
      },
    };
    const end = new AbortController();
    const host = anywidgetHost(model);
    expect(host.initial()).toEqual({ ...START, selection: "a" });
    host.save({ ...START, selection: "b", camera: [1, 2, 3] }, ["selection", "camera"]);
    expect(traits).toEqual({ selection: "b", expanded: null, query: "" });
    const changes: Partial<ViewState>[] = [];
    host.onChange((change) => changes.push(change), end.signal);
    traits.selection = "c";
    heard["change:selection"]();
    expect(changes).toEqual([{ selection: "c" }]);
    end.abort();
    expect(Object.keys(heard)).toEqual([]);
  });
});
