// The fields of a line as a query names them: keys of a JSON object joined by dots, or key=value pairs. Numbers keep the digits that
// they were written with: an ID of 64 bits is larger than what JavaScript can count to.

/** @typedef {{name: string, value: string, kind: "text" | "number" | "bool" | "null"}} Field */

const FIELDS_MAX = 400;
const DEPTH_MAX = 12;
const LINE_MAX = 256 * 1024;

/** A number as it stands in the text. */
class Digits {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/**
 * @param {string} line
 * @returns {{format: "json" | "pairs" | "text", fields: Field[], cut: boolean}}
 */
export function fieldsOf(line) {
  if (line.length > LINE_MAX) return { format: "text", fields: [], cut: true };
  const object = asObject(line);
  /** @type {Field[]} */
  const fields = [];
  if (object) {
    flatten(object, "", 0, fields);
    return { format: "json", fields, cut: fields.length >= FIELDS_MAX };
  }
  for (const found of line.matchAll(/(?<![^\s,;({[|])([A-Za-z_][\w.@/-]{0,127})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/g)) {
    if (fields.length >= FIELDS_MAX) break;
    const value = found[2] === undefined ? found[3].replace(/[,;)\]}]+$/, "") : found[2].replace(/\\(["\\])/g, "$1");
    fields.push({ name: found[1], value, kind: found[2] === undefined && isNumber(value) ? "number" : "text" });
  }
  return { format: fields.length > 0 ? "pairs" : "text", fields, cut: fields.length >= FIELDS_MAX };
}

/** @param {string} text */
const isNumber = (text) => /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text);

/**
 * @param {string} line
 * @returns {Record<string, unknown> | null}
 */
function asObject(line) {
  const text = line.trim();
  if (!text.startsWith("{") || !text.endsWith("}")) return null;
  try {
    const value = JSON.parse(
      text,
      /** @type {any} */ (
        (/** @type {string} */ _key, /** @type {unknown} */ value, /** @type {{source?: string} | undefined} */ context) =>
          typeof value === "number" ? new Digits(context?.source ?? String(value)) : value
      ),
    );
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * @param {unknown} value
 * @param {string} name
 * @param {number} depth
 * @param {Field[]} fields
 */
function flatten(value, name, depth, fields) {
  if (fields.length >= FIELDS_MAX) return;
  if (value instanceof Digits) fields.push({ name, value: value.text, kind: "number" });
  else if (typeof value === "string") fields.push({ name, value, kind: "text" });
  else if (typeof value === "boolean") fields.push({ name, value: String(value), kind: "bool" });
  else if (value === null) fields.push({ name, value: "null", kind: "null" });
  else if (depth >= DEPTH_MAX) fields.push({ name, value: "…", kind: "text" });
  else if (Array.isArray(value)) {
    // Of an array a query means any element, so each is a field of that name.
    for (const element of value) flatten(element, name, depth + 1, fields);
  } else if (typeof value === "object") {
    for (const [key, inner] of Object.entries(/** @type {object} */ (value))) {
      flatten(inner, name === "" ? key : `${name}.${key}`, depth + 1, fields);
    }
  }
}

const MESSAGE = ["message", "msg", "@message", "log", "event", "short_message"];
/** Said by other columns already. */
const KNOWN =
  /^(@?timestamp|time|ts|t|date|level|lvl|severity|severity_text|log\.level|loglevel|message|msg|@message|short_message|service|service\.name|host|hostname|host\.name|pid|v|@version|ecs\.version|trace\.?_?id|traceid|traceparent|span\.?_?id|spanid|parent\.?_?id|parentspanid|trace_flags|dd\.(trace|span)_id)$/i;

/** @typedef {{message: string, rest: {name: string, value: string}[]}} Tidy */
/** @type {WeakMap<object, Tidy | null>} */
const tidied = new WeakMap();

/**
 * What a structured line says first, and its other fields, without those that a row shows anyway; null for plain text.
 * @param {{line: string}} record
 * @returns {Tidy | null}
 */
export function tidy(record) {
  const found = tidied.get(record);
  if (found !== undefined) return found;
  const { format, fields } = fieldsOf(record.line);
  /** @type {Tidy | null} */
  let answer = null;
  if (format === "json" || (format === "pairs" && /^\s*[\w.@/-]+=/.test(record.line))) {
    const message = MESSAGE.map((name) => fields.find((field) => field.name === name)).find(Boolean);
    const rest = fields.filter((field) => !KNOWN.test(field.name) && field !== message && field.value !== "").slice(0, 24);
    if (message || rest.length > 0) answer = { message: message?.value ?? "", rest };
  }
  tidied.set(record, answer);
  return answer;
}
