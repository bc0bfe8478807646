// What a reader may want to come back to, in one small record, and the link that holds it.

export interface ViewState {
  /** Which object, and which of its views. */
  readonly section: number;
  readonly view: number;
  /** Keys of the open regions; null as the document says. */
  readonly expanded: readonly string[] | null;
  /** Key of the selected box or region, "" for none. */
  readonly selection: string;
  readonly query: string;
  /** x, y, scale; null to choose. */
  readonly camera: readonly [number, number, number] | null;
  /** Title of the open table, "" for none, null as the document says. */
  readonly table: string | null;
  readonly theme: "auto" | "light" | "dark";
}

export const START: ViewState = {
  section: 0,
  view: 0,
  expanded: null,
  selection: "",
  query: "",
  camera: null,
  table: null,
  theme: "auto",
};

const PREFIX = "#state=";

/** Write a state as the fragment of a link; parts that are as at the start are left out. */
export function encodeState(state: ViewState): string {
  const kept = Object.entries(state).filter(([key, value]) => value !== START[key as keyof ViewState]);
  if (!kept.length) return "";
  const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(kept)));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return PREFIX + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Read a state from the fragment of a link. Whatever is not understood is left as at the start. */
export function decodeState(fragment: string): ViewState {
  if (!fragment.startsWith(PREFIX)) return START;
  try {
    const base64 = fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return checked(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return START;
  }
}

const isIndex = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((v) => typeof v === "string");
const isCamera = (value: unknown): value is [number, number, number] =>
  Array.isArray(value) && value.length === 3 && value.every(Number.isFinite) && value[2] > 0;

/** Keep what has the right type. */
export function checked(raw: unknown): ViewState {
  const data = (typeof raw === "object" && raw !== null ? raw : {}) as Partial<Record<keyof ViewState, unknown>>;
  const { section, view, expanded, selection, query, camera, table, theme } = data;
  return {
    section: isIndex(section) ? section : START.section,
    view: isIndex(view) ? view : START.view,
    expanded: isTexts(expanded) ? expanded : START.expanded,
    selection: typeof selection === "string" ? selection : START.selection,
    query: typeof query === "string" ? query : START.query,
    camera: isCamera(camera) ? camera : START.camera,
    table: typeof table === "string" ? table : START.table,
    theme: theme === "light" || theme === "dark" ? theme : START.theme,
  };
}
