// Queries as text: terms that are added to one, and what of it stands out in a line. The aggregator reads queries; what is here only
// writes them, by the rules of query-language.md.

const BUILT_IN = new Set(["service", "host", "file", "source", "level", "severity", "txn", "time", "@timestamp"]);

/**
 * The name of a field as a query takes it.
 * @param {string} name
 * @param {boolean} [ofLine] a key of the line, even if it is called as a built-in field
 */
export function fieldName(name, ofLine = false) {
  if (/^\.[\w.@-]+$/.test(name)) return name;
  const plain = /^[A-Za-z_@][\w.@-]*$/.test(name);
  const text = plain ? name : /^\d[\w.]*$/.test(name) ? `.${name}` : `"${escaped(name)}"`;
  return ofLine && plain && (BUILT_IN.has(name) || name.startsWith("label.")) ? `.${text}` : text;
}

/** @param {string} text */
const escaped = (text) => text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t");

/**
 * A value as a query takes it, exactly.
 * @param {string} value
 */
export const quoted = (value) => (/^[A-Za-z0-9_]+$/.test(value) && !/^(AND|OR|NOT|TO)$/.test(value) ? value : `"${escaped(value)}"`);

/**
 * @param {string} name
 * @param {string} value
 * @param {{ofLine?: boolean, number?: boolean}} [how]
 */
export function term(name, value, how = {}) {
  const field = fieldName(name, how.ofLine);
  // A number is meant as one, however it was written; of text a word alone would also find what merely holds it.
  if (how.number && /^\d+(\.\d+)?$/.test(value)) return `${field}:${value}`;
  return `${field}:${BUILT_IN.has(name) && !how.ofLine ? quoted(value) : `"${escaped(value)}"`}`;
}

/**
 * The query with one more term, or without it when it is there.
 * @param {string} query
 * @param {string} term
 */
export function toggled(query, term) {
  const without = removed(query, term);
  if (without !== query) return without;
  const opposite = term.startsWith("-") ? term.slice(1) : `-${term}`;
  const rest = removed(query, opposite);
  if (rest === "" || rest === "*") return term;
  return `${/(^|\s)(OR|\|\|)(\s|$)/.test(rest) ? `(${rest})` : rest} ${term}`;
}

/**
 * @param {string} query
 * @param {string} term
 */
export const has = (query, term) => removed(query, term) !== query;

/** @param {string} query @param {string} term */
function removed(query, term) {
  let from = query.indexOf(term);
  while (from >= 0) {
    const before = from === 0 || /\s/.test(query[from - 1]);
    const after = from + term.length === query.length || /\s/.test(query[from + term.length]);
    if (before && after) return `${query.slice(0, from)} ${query.slice(from + term.length)}`.replace(/\s+/g, " ").trim();
    from = query.indexOf(term, from + 1);
  }
  return query;
}

/** Pieces of a query: strings, regexes, operators and words. Rough, for colours and completion only. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|(?<=^|[\s(:])\/(?:[^/\\]|\\.|\/(?![\s)]|$))+\/(?=[\s)]|$)|\|\||&&|[()[\]{}]|[^\s()"[\]{}]+/g;

/**
 * @param {string} query
 * @returns {{text: string, begin: number, end: number}[]}
 */
export const tokens = (query) => [...query.matchAll(TOKEN)].map((found) => ({ text: found[0], begin: found.index, end: found.index + found[0].length }));

/**
 * What the words and phrases of a query match in a line, to be marked there; null for nothing.
 * @param {string} query
 * @returns {RegExp | null}
 */
export function highlighted(query) {
  /** @type {string[]} */
  const parts = [];
  let negated = false;
  for (const { text } of tokens(query)) {
    if (text === "NOT" || text === "!") {
      negated = true;
      continue;
    }
    const skip = negated || text.startsWith("-") || text.startsWith("!");
    negated = false;
    if (skip || /^(AND|OR|TO|&&|\|\||[()[\]{}*])$/.test(text)) continue;
    const value = /^[\w.@-]+:(?!\/\/)(.*)$/.exec(text)?.[1] ?? text;
    if (text !== value && /^(service|host|file|source|level|severity|txn|time|label\.)/.test(text)) continue;
    if (/^[<>]/.test(value) || value === "" || value === "*") continue;
    if (value.length > 2 && value.startsWith("/") && value.endsWith("/")) {
      try {
        parts.push(new RegExp(value.slice(1, -1).replace(/^\(\?i\)/, "")).source);
      } catch {}
      continue;
    }
    const literal = value.startsWith('"') ? value.replace(/^"|"$/g, "").replace(/\\(["\\])/g, "$1") : value.replace(/\*$/, "").replace(/\\(.)/g, "$1");
    if (literal.trim() === "") continue;
    parts.push(literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  }
  if (parts.length === 0) return null;
  try {
    return new RegExp(parts.slice(0, 64).join("|"), "gi");
  } catch {
    return null;
  }
}
