// Log lines are hostile. They become text nodes and nothing else, and what a browser would not show, or would let turn the text
// around (control characters, bidi overrides, zero-width spaces), is shown as a mark of its own.
import { html } from "./html.js";

/* Controls but \n and \t, soft hyphen, joiners, marks and overrides of direction, separators, tags, halves of a surrogate pair. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\ud800-\udfff]/gu;

const CONTROLS = "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

/**
 * How a character that cannot be seen is written: `ESC` for those that have a name everybody knows, `U+202E` for others.
 * @param {string} character
 */
export function mark(character) {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x7f) return "DEL";
  return CONTROLS[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Text with marks for what cannot be seen; `highlight` finds what is to stand out.
 * @param {string} text
 * @param {RegExp | null} [highlight] global
 * @returns {any}
 */
export function visible(text, highlight = null) {
  HIDDEN.lastIndex = 0;
  const plain = !HIDDEN.test(text);
  HIDDEN.lastIndex = 0;
  if (plain && !highlight) return text;
  /** @type {any[]} */
  const parts = [];
  let from = 0;
  if (!plain) {
    for (const found of text.matchAll(HIDDEN)) {
      if (found.index > from) parts.push(...marked(text.slice(from, found.index), highlight));
      parts.push(html`<span class="hidden-character" title="a character that is not seen">${mark(found[0])}</span>`);
      from = found.index + found[0].length;
    }
  }
  parts.push(...marked(text.slice(from), highlight));
  return parts;
}

/**
 * @param {string} text
 * @param {RegExp | null} highlight
 * @returns {any[]}
 */
function marked(text, highlight) {
  if (!highlight) return [text];
  /** @type {any[]} */
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(highlight)) {
    if (found[0] === "") continue;
    if (found.index > from) parts.push(text.slice(from, found.index));
    parts.push(html`<mark>${found[0]}</mark>`);
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/**
 * At most so many characters, and never half of one.
 * @param {string} text
 * @param {number} limit
 */
export function bounded(text, limit) {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}

/**
 * One line of it, for a row: line feeds and tabs are shown as well.
 * @param {string} text
 * @param {number} limit
 */
export const inRow = (text, limit) => bounded(text, limit).replace(/\r?\n/g, " ⏎ ").replace(/\t/g, " ");
