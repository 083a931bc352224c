// One record in a list, on one line: its time, who wrote it, how bad it is, and what it says.
import { html } from "../lib/html.js";
import { fieldsOf, tidy } from "../lib/fields.js";
import { inRow, visible } from "../lib/text.js";

export const ROW_HEIGHT = 26;
/** More of a line than this does not fit into a row of the widest screen. */
const SHOWN = 600;

/** @param {string} severity */
export const isError = (severity) => severity === "error" || severity === "fatal";

/** @param {string} severity */
export const loudness = (severity) => (isError(severity) ? "error" : severity === "warn" ? "warn" : "");

/**
 * The line as a row shows it.
 * @param {{record: import("../types.js").LogRecord, raw: boolean, highlight?: RegExp | null}} props
 */
export function Text({ record, raw, highlight = null }) {
  const lines = record.line.indexOf("\n");
  const more = lines >= 0 ? record.line.split("\n", 1001).length - 1 : 0;
  const tail = more > 0 ? html`<span class="more">+ ${more >= 1000 ? "1000 or more" : more} lines</span>` : "";
  const parts = raw ? null : tidy(record);
  if (!parts) return html`<span class="text">${visible(inRow(lines >= 0 && more > 0 ? record.line.slice(0, lines) : record.line, SHOWN), highlight)}${tail}</span>`;
  return html`<span class="text">${visible(inRow(parts.message, SHOWN), highlight)}${parts.rest.map(({ name, value }) => html`<span class="key">${visible(inRow(name, 80))}=</span><span class="value">${visible(inRow(value, 120), highlight)}</span>`)}${tail}</span>`;
}

/** @type {WeakMap<object, Map<string, string>>} */
const known = new WeakMap();

/**
 * A field of a record for a column of its own.
 * @param {import("../types.js").LogRecord} record
 * @param {string} name
 */
export function column(record, name) {
  if (name === "host") return record.host;
  if (name === "file") return record.file;
  if (name === "txn") return record.ids[0]?.value ?? "";
  if (name.startsWith("label.")) return record.labels?.[name.slice(6)] ?? "";
  let fields = known.get(record);
  if (!fields) {
    fields = new Map(fieldsOf(record.line).fields.map((field) => [field.name, field.value]));
    known.set(record, fields);
  }
  return fields.get(name) ?? "";
}
