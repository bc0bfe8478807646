// The search language, the same as `graphlens/program/query.py`: words, /regular expressions/, "phrases", field:value,
// and - for "not". All terms must hold.

/** The texts of one node by field; `words` is what plain words look at. */
export interface Searchable {
  words(): readonly string[];
  /** Texts of a field, a metadata key if it is none of ours. */
  field(name: string): readonly string[];
}

export type Test = (node: Searchable) => boolean;

/** The fields that completion offers. */
export const FIELDS = [
  ...["name", "op", "target", "module", "type", "graph", "shape", "dtype", "device", "value", "arg", "source"],
  ...["diff", "severity", "kind"],
] as const;

/** A query that cannot be understood; the message is for people. */
export class QueryError extends Error {}

/** Turn a query into a test; the empty query selects everything. */
export function compileQuery(query: string): Test {
  const tests = split(query).map(term);
  return (node) => tests.every((test) => test(node));
}

/** Say why a query that found nothing may be another than was meant; "" where nothing speaks for it. */
export function hint(query: string): string {
  for (const whole of split(query)) {
    const text = whole.length > 1 && whole.startsWith("-") ? whole.slice(1) : whole;
    const [name, value] = fieldOf(text) ?? ["", text];
    if (!OWN_SIGNS.includes(name) && !isRegex(value) && PATTERN_SIGN.test(value)) {
      return `${text} is looked for as it is written; a regular expression stands between slashes, ${name && `${name}:`}/…/`;
    }
  }
  return "";
}

const PATTERN_SIGN = /[[\](){}*+?|^$\\]|^\/|\/$/;

/** Fields whose texts are full of brackets. */
const OWN_SIGNS: readonly string[] = ["shape", "value", "arg", "source", "type"];

/** Split at white space outside of double quotes; the quotes go. */
function split(query: string): string[] {
  const terms: string[] = [];
  let current: string | null = null;
  let quoted = false;
  for (const character of query) {
    if (character === '"') {
      quoted = !quoted;
      current ??= "";
    } else if (/\s/.test(character) && !quoted) {
      if (current !== null) terms.push(current);
      current = null;
    } else {
      current = (current ?? "") + character;
    }
  }
  if (quoted) throw new QueryError("Close the quote");
  if (current !== null) terms.push(current);
  return terms;
}

const isRegex = (text: string) => text.length > 2 && text.startsWith("/") && text.endsWith("/");

const fieldOf = (text: string): [string, string] | null => {
  const field = /^([A-Za-z_][A-Za-z0-9_.]*):([\s\S]+)$/.exec(text);
  return field && [field[1].toLowerCase(), field[2]];
};

function term(text: string): Test {
  if (text.length > 1 && text.startsWith("-")) {
    const inner = term(text.slice(1));
    return (node) => !inner(node);
  }
  if (text.endsWith(":") && (FIELDS as readonly string[]).includes(text.slice(0, -1).toLowerCase())) {
    throw new QueryError(`${text} has no value yet`);
  }
  if (isRegex(text)) {
    const pattern = regex(text);
    return (node) => node.words().some((word) => pattern.test(word));
  }
  const field = fieldOf(text);
  if (field) return fieldTest(...field);
  const wanted = text.toLowerCase();
  return (node) => node.words().some((word) => word.toLowerCase().includes(wanted));
}

/** Case is ignored by the engine's flag, never by folding the pattern: `\S` stays `\S`. */
function regex(text: string): RegExp {
  try {
    return new RegExp(text.slice(1, -1), "iu");
  } catch {
    try {
      return new RegExp(text.slice(1, -1), "i");
    } catch (error) {
      throw new QueryError(`${text} is no regular expression: ${(error as Error).message}`);
    }
  }
}

function fieldTest(field: string, value: string): Test {
  if (isRegex(value)) {
    const pattern = regex(value);
    return (node) => node.field(field).some((text) => pattern.test(text));
  }
  if (field === "shape" && value.startsWith("[") !== value.endsWith("]")) {
    throw new QueryError("Close the bracket: shape:[2,*,64]");
  }
  const wanted = value.toLowerCase();
  const matches = (MATCHERS[field] ?? contains)(wanted);
  return (node) => node.field(field).some((text) => matches(text.toLowerCase()));
}

type Matcher = (wanted: string) => (text: string) => boolean;

const contains: Matcher = (wanted) => (text) => text.includes(wanted);

const sizes = (text: string): string[] => {
  const inner = text
    .trim()
    .replace(/^\[|\]$/g, "")
    .trim();
  return inner ? inner.split(",").map((size) => size.trim()) : [];
};

const MATCHERS: Readonly<Record<string, Matcher>> = {
  /** A bare number or symbol is one of the sizes; a list is the whole shape, with * for any size. */
  shape: (wanted) => {
    if (!wanted.startsWith("[")) return (text) => sizes(text).includes(wanted);
    const pattern = sizes(wanted);
    return (text) => {
      const found = sizes(text);
      return found.length === pattern.length && pattern.every((size, i) => size === "*" || size === found[i]);
    };
  },
  dtype: (wanted) => (text) => text === wanted.replace(/^torch\./, ""),
  diff: (wanted) => (text) => text === wanted || (wanted === "any" && text !== "same"),
  severity: (wanted) => (text) => text === wanted,
};
