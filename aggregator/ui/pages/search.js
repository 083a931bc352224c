// Search: a query, when, how many, what values there are, and the records as they are found; or as they come in.
import { html, classes } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { ask, Problem } from "../lib/api.js";
import { bytes, count, plural, short } from "../lib/format.js";
import { useShortcuts } from "../lib/keyboard.js";
import { prefer, preference } from "../lib/preferences.js";
import { highlighted, toggled } from "../lib/query.js";
import { navigate, useAddress, withParameters } from "../lib/router.js";
import { inRow, visible } from "../lib/text.js";
import { clock, day, full, resolve } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useTitle } from "../lib/use.js";
import { placeOf, useLinkedRecord } from "../lib/use-record.js";
import { useSearch, useTail } from "../lib/use-search.js";
import { Details } from "../parts/details.js";
import { Facets } from "../parts/facets.js";
import { Histogram, HISTOGRAM_LEGEND } from "../parts/histogram.js";
import { Menu } from "../parts/menu.js";
import { QueryBox } from "../parts/query-box.js";
import { column, loudness, ROW_HEIGHT, Text } from "../parts/record-row.js";
import { Cut, Empty, Failed, Loading } from "../parts/states.js";
import { TimePicker } from "../parts/time-picker.js";
import { VirtualList } from "../parts/virtual-list.js";
import * as icons from "../parts/icons.js";

/** @typedef {import("../types.js").LogRecord} LogRecord */

const FROM = "-1h";

export function SearchPage() {
  useTitle("Search");
  const { parameters } = useAddress();
  const q = parameters.get("q") ?? "";
  const from = parameters.get("from") ?? FROM;
  const to = parameters.get("to") ?? "";
  const order = parameters.get("order") ?? "";
  const tailing = parameters.get("tail") === "1";
  const columns = (parameters.get("columns") ?? "").split(",").filter(Boolean);
  const [turn, setTurn] = useState(0);
  const [selected, setSelected] = useState(-1);
  const linked = parameters.get("record") ?? "";
  const [detailed, setDetailed] = useLinkedRecord(linked, (record) => navigate(withParameters({ record: record && placeOf(record) }), { replace: true }));
  const [facetsShown, setFacetsShown] = useState(false);
  const handle = useRef(/** @type {import("../parts/virtual-list.js").Handle | null} */ (null));
  const raw = preference("lines") === "raw";
  const range = { from: from === "all" ? "" : from, to };

  const search = useSearch({ q, ...range, order }, turn, tailing);
  const tail = useTail(q, turn, tailing);
  const key = JSON.stringify([q, from, to, turn]);
  const broken = search.problem instanceof Problem && search.problem.status === 400;
  const histogram = useAnswer(tailing ? null : key, (signal) => /** @type {Promise<import("../types.js").HistogramAnswer>} */ (ask("/api/v1/logs/histogram", { q, ...range }, signal)));
  const facets = useAnswer(tailing ? null : key, (signal) => /** @type {Promise<import("../types.js").FacetsAnswer>} */ (ask("/api/v1/logs/facets", { q, ...range, limit: 20, timeout: "5s" }, signal)));
  const fields = useAnswer(from, (signal) => /** @type {Promise<import("../types.js").FieldsAnswer>} */ (ask("/api/v1/fields", { ...range, timeout: "3s" }, signal)));

  const records = tailing ? tail.records : search.records;
  const problem = tailing ? tail.problem : search.problem;
  const highlight = useMemo(() => highlighted(q), [q]);
  /** @param {Record<string, string | number | null>} changes @param {boolean} [replace] */
  const change = (changes, replace) => {
    setSelected(-1);
    navigate(withParameters(changes), { replace });
  };
  /** @param {string} query */
  const onRun = (query) => {
    if (query !== q) return change({ q: query, record: null });
    setDetailed(null);
    setTurn(turn + 1);
  };
  /** @param {string} term */
  const onTerm = (term) => change({ q: toggled(q, term) });
  /** @param {string} name */
  const onColumn = (name) => navigate(withParameters({ columns: (columns.includes(name) ? columns.filter((one) => one !== name) : [...columns, name]).join(",") }), { replace: true });
  const close = () => {
    setDetailed(null);
    handle.current?.focus();
  };
  const setTail = (/** @type {boolean} */ on) => change({ tail: on ? 1 : null, record: null });
  const toTransaction = () => {
    const id = (records[selected] ?? detailed)?.ids[0];
    if (id) navigate(`/t/${encodeURIComponent(id.value)}`);
  };
  useShortcuts([
    { keys: "j", what: "Next record", where: "Search", run: () => handle.current?.move(1) },
    { keys: "k", what: "Previous record", where: "Search", run: () => handle.current?.move(-1) },
    { keys: "Enter", what: "Details of the record", where: "Search", run: () => selected >= 0 && setDetailed(records[selected]) },
    { keys: "t", what: "The record’s transaction", where: "Search", run: toTransaction },
    { keys: "l", what: "Live tail, and back", where: "Search", run: () => setTail(!tailing) },
    { keys: "p", what: "Pause the tail, and go on", where: "Search", run: () => tailing && tail.pause(!tail.paused) },
    { keys: "r", what: "Ask again", where: "Search", run: () => setTurn(turn + 1) },
    { keys: "Escape", what: "Close the details", where: "Search", run: () => (facetsShown ? setFacetsShown(false) : detailed && close()) },
  ]);
  useLayoutEffect(() => {
    if (detailed && selected >= 0 && records[selected]) setDetailed(records[selected]);
  }, [selected]);
  // A record that the address names is marked as soon as it is among those that were found.
  useEffect(() => {
    if (linked === "" || selected >= 0 || records.length === 0) return;
    const at = records.findIndex((record) => placeOf(record) === linked);
    if (at < 0) return;
    setSelected(at);
    requestAnimationFrame(() => handle.current?.reveal(at, "center"));
  }, [linked, records]);

  const days = records.length > 0 && !tailing && day(records[0].time) !== day(records[records.length - 1].time);
  const template = `${days ? 176 : 104}px minmax(76px, 120px) 46px ${columns.map(() => "minmax(60px, 150px)").join(" ")} minmax(0, 1fr)`;
  return html`<div class="search">
    <h1 class="visually-hidden">Search</h1>
    <div class="asks">
      <${QueryBox} q=${q} onRun=${onRun} problem=${problem} fields=${fields.value} range=${range} />
      <div class="row wrap">
        ${!tailing && html`<${TimePicker} from=${from} to=${to} onRange=${(/** @type {string} */ from, /** @type {string} */ to) => change({ from: from === FROM ? null : from, to })} />`}
        <button type="button" class="button" aria-pressed=${tailing} onClick=${() => setTail(!tailing)} title="Records as they come in (l)"><${tailing ? icons.Close : icons.Play} />${tailing ? "Leave the tail" : "Live tail"}</button>
      </div>
    </div>
    ${!tailing && !broken && html`<section class="card" aria-label="How many, over time">
      <div class="histogram">
        ${histogram.problem && !histogram.value ? html`<${Failed} compact problem=${histogram.problem} again=${histogram.again} />` : histogram.value ? html`<${Histogram} answer=${histogram.value} onRange=${(/** @type {number} */ begin, /** @type {number} */ end) => change({ from: new Date(begin).toISOString(), to: new Date(end).toISOString() })} />` : html`<div style=${{ height: "118px" }}><${Loading} rows=${4} what="Counting" /></div>`}
      </div>
      <div class="foot" style=${{ borderTop: 0, paddingTop: 0, minHeight: "28px" }}>
        <span>${histogram.value ? html`<strong>${count(histogram.value.records)}</strong> records${histogram.value.meta.partial ? html` <span class="is-warn">counted until the time was up</span>` : ""}` : ""}</span>
        <span class="grow"></span>
        <span class="legend" aria-hidden="true">${HISTOGRAM_LEGEND.map(({ name, token }) => html`<span><i style=${{ "--tint": `var(--${token})` }}></i>${name}</span>`)}</span>
        ${(from !== FROM || to !== "") && html`<button type="button" class="link" onClick=${() => change({ from: null, to: null })}>Back to the last hour</button>`}
      </div>
    </section>`}
    <${Cut} meta=${tailing ? null : { took_ms: 0, warnings: search.warnings, blocks_damaged: search.damaged }} />
    <div class="results">
      ${!tailing && !broken && html`<${Facets} answer=${facets} q=${q} onTerm=${onTerm} shown=${facetsShown} />`}
      <section class="card" aria-label="Records">
        <div class="main">
          <div class="toolbar">
            ${tailing
              ? html`<h2 class="row"><span class="live"><span class="dot" style=${tail.paused || !tail.connected ? { background: "var(--quiet)", animation: "none" } : {}}></span></span>${tail.paused ? "Paused" : tail.connected ? "Live" : tail.problem ? "Ended" : tail.lost ? "Connection lost, trying again" : "Connecting"}</h2>
                <span class="visually-hidden" role="status">${tail.lost && !tail.problem ? "The connection is lost" : ""}</span>
                <button type="button" class="button" aria-pressed=${tail.paused} onClick=${() => tail.pause(!tail.paused)}><${tail.paused ? icons.Play : icons.Pause} />${tail.paused ? (tail.waiting > 0 ? `Go on with ${count(tail.waiting)} new` : "Go on") : "Pause"}</button>
                <button type="button" class="button quiet" onClick=${tail.clear}>Empty</button>`
              : html`<h2>Records</h2>
                <button type="button" class="button facets-button" aria-pressed=${facetsShown} onClick=${() => setFacetsShown(!facetsShown)}><${icons.Filter} />Facets</button>
                <span class="segments" role="group" aria-label="Order"><button type="button" aria-pressed=${order !== "oldest"} onClick=${() => change({ order: null })}>Newest first</button><button type="button" aria-pressed=${order === "oldest"} onClick=${() => change({ order: "oldest" })}>Oldest first</button></span>`}
            <span class="grow"></span>
            <${Columns} columns=${columns} fields=${fields.value} onColumn=${onColumn} />
            <button type="button" class="button" aria-pressed=${raw} title="The lines as they were written" onClick=${() => prefer("lines", raw ? "tidy" : "raw")}><${icons.Lines} />Raw</button>
          </div>
          ${(tail.dropped > 0 || tail.droppedUnknown) && tailing && html`<div class="note warn" role="status" style=${{ margin: "8px 12px" }}><${icons.Alert} /><p>${tail.dropped > 0 ? `${plural(tail.dropped, "record")} came faster than this page took them, and ${tail.dropped === 1 ? "is" : "are"} not shown.` : ""} ${tail.droppedUnknown ? "The connection was lost, and nobody knows what came meanwhile." : ""} A search finds them.</p></div>`}
          <div class="head-row" style=${{ gridTemplateColumns: template }} aria-hidden="true"><span class="at">Time</span><span>Service</span><span>Level</span>${columns.map((name) => html`<span>${visible(name)}</span>`)}<span>Line</span></div>
          <div class=${classes("progress", !tailing && search.busy && "busy")} role="presentation"></div>
          ${problem && !(problem instanceof Problem && problem.answer.position) && html`<${Failed} compact=${records.length > 0} problem=${problem} again=${!tailing && records.length > 0 ? search.goOn : () => setTurn(turn + 1)} />`}
          ${records.length === 0
            ? problem
              ? problem instanceof Problem && problem.answer.position ? html`<${Empty} title="This query cannot be read"><p>The mistake is underlined above.</p></${Empty}>` : html`<div class="grow"></div>`
              : tailing
                ? html`<${Empty} title=${tail.connected ? "Waiting for records" : tail.lost ? "Connection lost, trying again" : "Connecting"}><p>${q === "" ? "What comes in" : "What fulfils the query"} is shown here, the newest at the bottom.</p></${Empty}>`
                : search.busy
                  ? search.scanned.records > 0 ? html`<${Empty} title="Nothing yet"><p>${count(search.scanned.records)} records, ${bytes(search.scanned.bytes)} were looked at.</p><div class="row"><button type="button" class="button" onClick=${search.stop}>Stop</button></div></${Empty}>` : html`<${Loading} rows=${10} what="Searching" />`
                  : html`<${Nothing} q=${q} from=${from} stopped=${search.stopped} onRange=${(/** @type {string} */ from) => change({ from, to: null })} />`
            : html`<${VirtualList} id="results" label=${tailing ? "Records as they come in" : "Records found"} count=${records.length} rowHeight=${ROW_HEIGHT} selected=${selected} handle=${handle} follow=${tailing && !tail.paused && !detailed}
                onSelect=${setSelected} onOpen=${(/** @type {number} */ index) => {
                  if (tailing && !tail.paused) tail.pause(true);
                  setDetailed(records[index]);
                }}
                onRange=${(/** @type {number} */ _first, /** @type {number} */ last) => !tailing && last > records.length - 60 && search.more()}
                row=${(/** @type {number} */ index, /** @type {object} */ properties) => html`<${Row} record=${records[index]} raw=${raw} highlight=${highlight} columns=${columns} days=${days} template=${template} properties=${properties} key=${index} />`} />`}
          <div class="foot">
            ${tailing
              ? html`<span>${plural(records.length, "record")}</span>${tail.forgotten > 0 && html`<span>the oldest ${count(tail.forgotten)} are not kept on this page</span>`}`
              : problem ? html`<span></span>` : html`<span role="status">${search.busy ? html`Searching… ${plural(records.length, "record")}` : search.cursor !== null ? html`The ${order === "oldest" ? "oldest" : "newest"} ${count(records.length)}${histogram.value ? html` of ${count(histogram.value.records)}` : ""}; there are more` : html`${plural(records.length, "record")}, that is all`}</span>
                ${search.busy && html`<button type="button" class="link" onClick=${search.stop}>Stop</button>`}
                ${!search.busy && search.cursor !== null && html`<button type="button" class="link" onClick=${search.goOn}>${search.stopped ? "Go on" : "Load more"}</button>`}
                <span class="grow"></span>
                <span class="hide-small">${Math.round(search.took)} ms · ${short(search.scanned.records)} records, ${bytes(search.scanned.bytes)} read</span>`}
          </div>
        </div>
        ${detailed && html`<${Details} record=${detailed} onClose=${close} onTerm=${onTerm} columns=${columns} onColumn=${onColumn} heading=${html`${visible(detailed.service)} <span class="faint">${full(detailed.time)}</span>`} />`}
      </section>
    </div>
  </div>`;
}

/** @param {{record: LogRecord, raw: boolean, highlight: RegExp | null, columns: string[], days: boolean, template: string, properties: object}} props */
const Row = ({ record, raw, highlight, columns, days, template, properties }) => html`<div class=${classes("rec", loudness(record.severity))} style=${{ gridTemplateColumns: template }} ...${properties}>
  <span class="at">${days ? full(record.time) : clock(record.time)}</span>
  <span class="who"><span class="swatch" style=${{ "--tint": tint(record.service) }}></span><span>${visible(record.service)}</span></span>
  <span class="sev">${record.severity === "unknown" ? "" : record.severity}</span>
  ${columns.map((name) => html`<span class="cell" key=${name}>${visible(inRow(column(record, name), 200), highlight)}</span>`)}
  <${Text} record=${record} raw=${raw} highlight=${highlight} />
</div>`;

/** @param {{columns: string[], fields: import("../types.js").FieldsAnswer | null, onColumn: (name: string) => void}} props */
function Columns({ columns, fields, onColumn }) {
  const names = [...new Set([...columns, "host", "file", "txn", ...(fields?.fields ?? []).slice(0, 40).map((field) => field.name)])];
  return html`<${Menu} label=${html`<${icons.Columns} />Columns${columns.length > 0 ? ` ${columns.length}` : ""}`} title="Fields as columns of their own">
    ${names.map((name) => html`<button type="button" class="item" key=${name} aria-pressed=${columns.includes(name)} onClick=${() => onColumn(name)}><span class="mono">${visible(name)}</span></button>`)}
  </${Menu}>`;
}

/** @param {{q: string, from: string, stopped: boolean, onRange: (from: string) => void}} props */
function Nothing({ q, from, stopped, onRange }) {
  const begin = resolve(from);
  return html`<${Empty} title=${stopped ? "Stopped before anything was found" : q === "" ? "No record in this time" : "No record fulfils the query"}>
    <p>${begin === null ? "In all that is kept." : html`Between ${full(begin)} and now.`}</p>
    ${begin !== null && html`<div class="row"><button type="button" class="button" onClick=${() => onRange("-24h")}>Look through the last 24 hours</button><button type="button" class="button" onClick=${() => onRange("all")}>Look through all there is</button></div>`}
  </${Empty}>`;
}
