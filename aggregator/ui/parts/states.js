// What a page shows when there is nothing, not yet, not any more, or not all of it.
import { html, classes } from "../lib/html.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { Problem } from "../lib/api.js";
import { count, bytes } from "../lib/format.js";
import { clockSeconds } from "../lib/time.js";
import * as icons from "./icons.js";

/** @param {{title: string, compact?: boolean, children?: any}} props */
export const Empty = ({ title, compact, children }) => html`<div class=${classes("state", compact && "compact")}>
  <${icons.Thread} /><strong>${title}</strong>${children}
</div>`;

/** Who waits longer than this wants to be told that something is still going on. */
const LONG_MS = 4_000;

/** @param {{rows?: number, what?: string}} props */
export function Loading({ rows = 5, what = "Loading" }) {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), LONG_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="skeleton" role="status">
  <em class=${long ? "small dim" : "visually-hidden"}>${what}${long ? " takes longer than usual" : ""}…</em>
  ${Array.from({ length: rows }, (_, row) => html`<span key=${row} style=${{ width: `${92 - ((row * 37) % 40)}%` }}></span>`)}
</div>`;
}

/** @param {{problem: Error, again?: () => void, compact?: boolean}} props */
export function Failed({ problem, again, compact }) {
  const answer = problem instanceof Problem ? problem.answer : {};
  return html`<div class=${classes("state", "failed", compact && "compact")} role="alert">
    <${icons.Alert} />
    <strong>${answer.title ? upper(answer.title) : "That failed"}</strong>
    ${problem.message !== answer.title && html`<p>${withCode(answer.parameter ? problem.message : upper(problem.message))}</p>`}
    ${answer.hint && html`<p class="dim">${withCode(answer.hint)}</p>`}
    ${again && html`<div class="row"><button type="button" class="button" onClick=${again}>Try again</button></div>`}
  </div>`;
}

/**
 * That what is shown is older than it could be, since asking again failed.
 * @param {{answer: import("../lib/use.js").Answer<any>, compact?: boolean}} props compact: a few words for the head of a card
 */
export function Stale({ answer: { value, at, problem }, compact }) {
  if (!value || !problem) return null;
  const words = `as it was at ${clockSeconds(at)}`;
  return compact
    ? html`<span class="small is-warn nowrap" role="status" title=${upper(problem.message)}>${words}<span class="visually-hidden">: ${problem.message}</span></span>`
    : html`<div class="note warn" role="status"><${icons.Alert} /><p>${sentence(problem.message)} What is shown is ${words}.</p></div>`;
}

/** What stands between backticks as code. @param {string} text @returns {any[]} */
export const withCode = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));

/** @param {string} text */
export const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {string} text */
export const sentence = (text) => `${upper(text)}${/[.!?]$/.test(text) ? "" : "."}`;

/**
 * What to know about an answer that is not whole.
 * @param {{meta?: import("../types.js").Meta | null, partial?: string}} props
 */
export function Cut({ meta, partial }) {
  if (!meta) return null;
  // That there is a next page the page knows, and shows in its own way.
  const notes = (meta.warnings ?? []).filter((warning) => !/next_cursor/.test(warning));
  if (meta.partial && partial) notes.unshift(partial);
  if (meta.blocks_damaged) notes.push(`${count(meta.blocks_damaged)} damaged blocks could not be read; their records are missing`);
  if (notes.length === 0) return null;
  return html`<div class="note warn" role="note"><${icons.Alert} /><div>${notes.map((note) => html`<p>${upper(note)}</p>`)}</div></div>`;
}

/** @param {{meta?: import("../types.js").Meta | null}} props */
export const Took = ({ meta }) =>
  meta
    ? html`<span>${meta.took_ms < 10 ? meta.took_ms.toFixed(1) : Math.round(meta.took_ms)} ms${meta.bytes_scanned ? html` · ${count(meta.records_scanned)} records, ${bytes(meta.bytes_scanned)} read` : ""}</span>`
    : null;
