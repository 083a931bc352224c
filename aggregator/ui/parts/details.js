// Everything about one record: where it comes from, its line byte for byte, its fields, and the lines around it in its file.
import { html, classes } from "../lib/html.js";
import { useEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { ask } from "../lib/api.js";
import { fieldsOf } from "../lib/fields.js";
import { bytes, count, duration } from "../lib/format.js";
import { term } from "../lib/query.js";
import { exact, clock, zone } from "../lib/time.js";
import { bounded, inRow, visible } from "../lib/text.js";
import { useAnswer } from "../lib/use.js";
import { tint } from "../lib/tint.js";
import { copy } from "./menu.js";
import { loudness } from "./record-row.js";
import { Failed, Loading } from "./states.js";
import * as icons from "./icons.js";

/** So much of a line is shown before somebody asks for all of it, and of one value. */
const LINE_SHOWN = 16 * 1024;
const LINE_SHOWN_MAX = 1024 * 1024;
const VALUE_SHOWN = 2000;

const FLAGS = /** @type {Record<string, string>} */ ({
  joined: "several lines of the file, joined", unterminated: "its end was not there when it was read", continues: "goes on with the record before it",
  cut: "too long: cut by the agent", stderr: "written to standard error", unwrapped: "taken out of a container runtime's envelope",
  transcoded: "of another encoding, written as UTF-8", redacted: "parts were redacted by the agent", withheld: "the line was withheld by the agent",
  ids_left_out: "carries more IDs than are indexed",
});
const ORIGINS = /** @type {Record<string, string>} */ ({ record: "as the record says", inherited: "of the record before it", reading: "when it was read: the record has none" });

/** @param {string} q @param {Record<string, string>} [more] */
export const searchAddress = (q, more = {}) => `/search?${new URLSearchParams({ q, from: "all", ...more })}`;

/**
 * @param {{
 *   record: import("../types.js").LogRecord, onClose: () => void, transaction?: string, base?: string,
 *   onTerm?: (term: string) => void, columns?: string[], onColumn?: (name: string) => void, heading?: any,
 * }} props transaction: the ID of the page that it is shown on; onTerm: adds to a query that is at hand
 */
export function Details({ record, onClose, transaction, base, onTerm, columns = [], onColumn, heading }) {
  const [shown, setShown] = useState(LINE_SHOWN);
  const [around, setAround] = useState(0);
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const { fields, format, cut } = useMemo(() => fieldsOf(record.line), [record]);
  useEffect(() => {
    setShown(LINE_SHOWN);
    setAround(0);
    panel.current?.querySelector(".scroll")?.scrollTo(0, 0);
  }, [record.source_id, record.position]);
  const line = bounded(record.line, shown);
  /** @param {string} text @param {string} label */
  const search = (text, label) => onTerm
    ? html`<button type="button" class="button quiet icon small" title=${label} aria-label=${label} onClick=${() => onTerm(text)}><${icons.Search} /></button>`
    : html`<a class="button quiet icon small" title=${label} aria-label=${label} href=${searchAddress(text)}><${icons.Search} /></a>`;
  return html`<aside class="details" ref=${panel} tabindex="-1" aria-label="Details of the record" onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && !event.defaultPrevented) {
        event.preventDefault();
        onClose();
      }
    }}>
    <header>
      <span class=${classes("dot", loudness(record.severity))}></span>
      <h2 class="grow clip">${heading ?? html`${record.service} <span class="faint">${record.severity}</span>`}</h2>
      <button type="button" class="button quiet small" onClick=${() => copy(record.line, "Line")}><${icons.Copy} />Copy line</button>
      <button type="button" class="button quiet icon small" aria-label="Close the details" title="Close (Esc)" onClick=${onClose}><${icons.Close} /></button>
    </header>
    <div class="scroll" tabindex="0" role="group" aria-label="Line and fields">
      <pre dir="ltr">${visible(line)}${line === "" ? html`<span class="faint">(an empty line)</span>` : ""}</pre>
      ${line.length < record.line.length && html`<p class="small dim">${bytes(line.length)} of ${bytes(record.line.length)} are shown. ${shown < LINE_SHOWN_MAX
        ? html`<button type="button" class="link" onClick=${() => setShown(LINE_SHOWN_MAX)}>Show ${record.line.length > LINE_SHOWN_MAX ? "1 MiB" : "all"}</button>`
        : "“Copy line” has all of it."}</p>`}
      ${record.line_base64 && html`<p class="small dim">Its bytes are no UTF-8: what could not be read stands as �. <button type="button" class="link" onClick=${() => copy(record.line_base64 ?? "", "Bytes, as base64,")}>Copy the bytes as base64</button></p>`}
      ${record.ids.length > 0 && html`<section class="stack" style=${{ gap: "5px" }}><h3>Transaction</h3>
        ${record.ids.map((id) => html`<div class="row" key=${id.value}>
          ${id.value === transaction ? html`<code class="clip">${visible(bounded(id.value, 300))}</code>` : html`<a class="clip" href=${`/t/${encodeURIComponent(id.value)}`}><code>${visible(bounded(id.value, 300))}</code></a>`}
          <span class="chip">${id.kind}</span>
          <button type="button" class="button quiet icon small" aria-label="Copy the ID" title="Copy the ID" onClick=${() => copy(id.value, "ID")}><${icons.Copy} /></button>
        </div>`)}</section>`}
      ${fields.length > 0 && html`<section class="stack" style=${{ gap: "6px" }}>
        <h3>Fields <span class="faint">${format === "json" ? "JSON" : "key=value"}</span></h3>
        <div class="fields">${fields.map((field, number) => html`<div class="field" key=${number}>
          <span class="name">${visible(bounded(field.name, 200))}</span>
          <span class="value">${visible(bounded(field.value, VALUE_SHOWN))}${field.value.length > VALUE_SHOWN ? " …" : ""}</span>
          <span class="acts">
            ${field.value.length <= 1000 && search(term(field.name, field.value, { ofLine: true, number: field.kind === "number" }), `Search for ${field.name} with this value`)}
            ${onColumn && html`<button type="button" class="button quiet icon small" aria-pressed=${columns.includes(field.name)} aria-label=${`Column ${field.name}`} title="As a column" onClick=${() => onColumn(field.name)}><${icons.Columns} /></button>`}
            <button type="button" class="button quiet icon small" title="Copy the value" aria-label=${`Copy the value of ${field.name}`} onClick=${() => copy(field.value, "Value")}><${icons.Copy} /></button>
          </span>
        </div>`)}</div>
        ${cut && html`<p class="small dim">There are more fields: ${count(fields.length)} are shown.</p>`}
      </section>`}
      <section class="stack" style=${{ gap: "6px" }}>
        <h3>Where it comes from</h3>
        <dl class="pairs">
          <dt>Time</dt><dd><span class="mono">${exact(record.time)}</span> ${zone()} <span class="faint">${ORIGINS[record.time_origin] ?? record.time_origin}</span></dd>
          ${record.at && record.at !== record.time && html`<dt>Corrected</dt><dd><span class="mono">${exact(record.at)}</span> <span class="faint">by the clock of its host</span></dd>`}
          ${record.at_uncertainty_ns ? html`<dt>Uncertain by</dt><dd>± ${duration(record.at_uncertainty_ns)}</dd>` : ""}
          ${record.order_uncertain && html`<dt>Order</dt><dd class="is-warn">uncertain: the clocks do not say which came first</dd>`}
          <dt>Service</dt><dd><span class="row"><span class="swatch" style=${{ "--tint": tint(record.service) }}></span>${visible(record.service)} ${search(term("service", record.service), "Search in this service")}</span></dd>
          <dt>Host</dt><dd><span class="row">${visible(record.host)} ${search(term("host", record.host), "Search on this host")}</span></dd>
          <dt>File</dt><dd class="mono">${visible(record.file)}<span class="faint">:${count(record.position)}</span></dd>
          ${Object.entries(record.labels ?? {}).map(([name, value]) => html`<dt>label.${visible(name)}</dt><dd>${visible(value)}</dd>`)}
          ${record.span_id && html`<dt>Span</dt><dd class="mono">${visible(record.span_id)}${record.parent_span_id ? html` <span class="faint">of ${visible(record.parent_span_id)}</span>` : ""}</dd>`}
          ${record.flags.map((flag) => html`<dt>${flag.replaceAll("_", " ")}</dt><dd class="dim">${FLAGS[flag] ?? ""}</dd>`)}
        </dl>
      </section>
      <section class="stack" style=${{ gap: "6px" }}>
        <div class="row"><h3 class="grow">Around it in its file</h3>
          <button type="button" class="button small" onClick=${() => setAround(around === 0 ? 8 : Math.min(around * 3, 500))}>${around === 0 ? "Show the lines around it" : "More"}</button></div>
        ${around > 0 && html`<${Around} record=${record} lines=${around} />`}
      </section>
      ${base && html`<p><a class="small" href=${base}>Link to this record</a></p>`}
    </div>
  </aside>`;
}

/** @param {{record: import("../types.js").LogRecord, lines: number}} props */
function Around({ record, lines }) {
  const answer = useAnswer(
    `${record.source_id} ${record.position} ${lines}`,
    (signal) => /** @type {Promise<import("../types.js").ContextAnswer>} */ (ask("/api/v1/logs/context", { source: record.source_id, position: record.position, time: record.time, before: lines, after: lines }, signal)),
  );
  const here = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => here.current?.scrollIntoView({ block: "nearest" }), [answer.value]);
  if (answer.problem) return html`<${Failed} compact problem=${answer.problem} again=${answer.again} />`;
  if (!answer.value) return html`<${Loading} rows=${4} what="Loading the lines around it" />`;
  return html`<ol class="around">${answer.value.records.map((other) => {
    const is = other.source_id === record.source_id && other.position === record.position;
    return html`<li key=${`${other.source_id} ${other.position}`} class=${classes(is && "here")} ref=${is ? here : undefined} aria-current=${is ? "true" : undefined} title=${bounded(inRow(other.line, 500), 500)}>
      <span class="t">${clock(other.time)}</span>${visible(inRow(other.line, 400))}
    </li>`;
  })}</ol>`;
}
