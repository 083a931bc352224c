// One transaction: is that all of it, what happened where and when, and every record of it in order.
import { html, classes } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { ask, Problem, transactionPath } from "../lib/api.js";
import { count, duration, offset, plural } from "../lib/format.js";
import { useShortcuts } from "../lib/keyboard.js";
import { prefer, preference } from "../lib/preferences.js";
import { quoted } from "../lib/query.js";
import { navigate, useAddress, withParameters } from "../lib/router.js";
import { bounded, inRow, visible } from "../lib/text.js";
import { between, full, zone } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useCell, useTitle } from "../lib/use.js";
import { placeOf } from "../lib/use-record.js";
import { useTransaction } from "../lib/use-transaction.js";
import { Comparison } from "../parts/comparison.js";
import { Details, searchAddress } from "../parts/details.js";
import { copy, Menu } from "../parts/menu.js";
import { isError, loudness, ROW_HEIGHT, Text } from "../parts/record-row.js";
import { Cut, Failed, Loading } from "../parts/states.js";
import { Verdict, worstFirst } from "../parts/verdict.js";
import { VirtualList } from "../parts/virtual-list.js";
import { Waterfall } from "../parts/waterfall.js";
import * as icons from "../parts/icons.js";

const LEVELS = ["trace", "debug", "info", "notice", "warn", "error", "fatal"];

/** @typedef {import("../types.js").LogRecord} LogRecord */
/** @typedef {import("../types.js").Fold} Fold */
/** @typedef {{kind: "record", at: number, grouped: boolean} | {kind: "silence", duration: number, uncertain: number} | {kind: "fold", fold: Fold, at: number, count: number, open: boolean}} Item */

/** @param {{id: string}} props */
export function TransactionPage({ id }) {
  const { parameters } = useAddress();
  const chosen = parameters.get("service") ?? "";
  const level = parameters.get("level") ?? "";
  const bridge = parameters.get("bridge") ?? "";
  const loaded = useTransaction(id, { service: chosen, level, bridge });
  useTitle(loaded.transaction ? `${loaded.transaction.summary.entry_service ?? ""} ${id.slice(0, 12)}` : id.slice(0, 12));
  const { transaction, problem } = loaded;
  if (!transaction && problem instanceof Problem && problem.status === 404) return html`<${Unknown} id=${id} problem=${problem} again=${loaded.again} />`;
  if (!transaction && problem) return html`<div class="card"><h1 class="visually-hidden">Transaction ${visible(bounded(id, 400))}</h1><${Failed} problem=${problem} again=${loaded.again} /></div>`;
  if (!transaction) return html`<div class="transaction"><h1 class="visually-hidden">Transaction ${id}</h1><div class="card"><${Loading} rows=${3} what="Loading the transaction" /></div><div class="card"><${Loading} rows=${9} /></div></div>`;
  return html`<${Known} key=${transaction.id} asked=${id} transaction=${transaction} loaded=${loaded} chosen=${chosen} level=${level} bridge=${bridge} parameters=${parameters} />`;
}

/** @param {{asked: string, transaction: import("../types.js").Transaction, loaded: ReturnType<typeof useTransaction>, chosen: string, level: string, bridge: string, parameters: URLSearchParams}} props */
function Known({ asked, transaction, loaded, chosen, level, bridge, parameters }) {
  const { summary, silences = [], folds = [] } = transaction;
  const { records } = loaded;
  const [unfolded, setUnfolded] = useState(/** @type {Set<number>} */ (new Set()));
  const [selected, setSelected] = useState(-1);
  const [detailed, setShown] = useState(/** @type {LogRecord | null} */ (null));
  const sight = useCell(/** @type {{begin: number, end: number} | null} */ (null));
  const clocks = parameters.get("clocks") === "1";
  const [seek, setSeek] = useState(/** @type {{lane: number | null, ns: number} | {index: number} | null} */ (null));
  const handle = useRef(/** @type {import("../parts/virtual-list.js").Handle | null} */ (null));
  const raw = preference("lines") === "raw";
  const folding = preference("folds") === "on";

  const services = new Set(chosen === "" ? [] : chosen.split(","));
  const begin = transaction.lanes?.length ? earliest(transaction.lanes.map((lane) => lane.first)) : summary.time_min;
  const end = transaction.lanes?.length ? latest(transaction.lanes.map((lane) => lane.last)) : summary.time_max;
  // What happened at one moment is drawn as a millisecond.
  const whole = between(begin, end);
  const span = whole > 0 ? whole : 1e6;
  const zoom = zoomOf(parameters.get("zoom"), span);
  const compare = parameters.get("compare") === "1";
  const hosts = new Set(summary.hosts).size;

  const items = useMemo(
    () => itemsOf(records, folding ? folds : [], silences, unfolded, chosen !== "" || level !== ""),
    [records, folds, silences, unfolded, folding, chosen, level],
  );
  /** @param {number} row */
  const recordAt = (row) => {
    const item = items[row];
    return item && item.kind !== "silence" ? records[item.at] : null;
  };
  const current = selected >= 0 ? recordAt(selected) : null;

  // A link to a record: seen as soon as it is loaded. The address goes with what is shown.
  const linked = parameters.get("record");
  const shownLink = useRef("");
  /** @param {LogRecord | null} record */
  const setDetailed = (record) => {
    setShown(record);
    shownLink.current = record ? placeOf(record) : "";
    navigate(withParameters({ record: shownLink.current }), { replace: true });
  };
  // Before the next key can be pressed: what is closed by then would be opened again.
  useLayoutEffect(() => {
    if (!linked || shownLink.current === linked || records.length === 0) return;
    const at = records.findIndex((record) => placeOf(record) === linked);
    if (at < 0) {
      if (loaded.cursor !== null) loaded.want(records.length + 1);
      return;
    }
    shownLink.current = linked;
    open(at);
  }, [linked, records]);

  // Somebody pointed at a time or asked for an error that may not be loaded yet.
  useEffect(() => {
    if (!seek) return;
    const last = records.at(-1);
    if ("index" in seek) {
      const at = records.findIndex((record) => (record.index ?? 0) >= seek.index);
      if (at < 0 && loaded.cursor !== null) return loaded.want(records.length + 1);
      setSeek(null);
      if (at >= 0) open(at);
      return;
    }
    if (last && loaded.cursor !== null && between(begin, last.at ?? last.time) < seek.ns) return loaded.want(records.length + 1);
    setSeek(null);
    let best = -1;
    let least = Infinity;
    records.forEach((record, at) => {
      if (seek.lane !== null && record.lane !== seek.lane) return;
      const away = Math.abs(between(begin, record.at ?? record.time) - seek.ns);
      if (away < least) [best, least] = [at, away];
    });
    if (best >= 0) open(best);
  }, [seek, records]);

  /** Selects a record, unfolds what hides it, and shows it. @param {number} at */
  function open(at) {
    const fold = folding ? folds.find((fold) => (records[at].index ?? at) >= fold.begin && (records[at].index ?? at) < fold.end) : undefined;
    const wide = fold && !unfolded.has(fold.begin) ? new Set([...unfolded, fold.begin]) : unfolded;
    const rows = wide === unfolded ? items : itemsOf(records, folds, silences, wide, chosen !== "" || level !== "");
    setUnfolded(wide);
    const row = rows.findIndex((item) => item.kind === "record" && item.at === at);
    setSelected(row);
    setDetailed(records[at]);
    requestAnimationFrame(() => handle.current?.reveal(row, "center"));
  }
  /** @param {number} row */
  const activate = (row) => {
    const item = items[row];
    if (!item) return;
    if (item.kind === "record") setDetailed(records[item.at]);
    else if (item.kind === "fold") {
      const next = new Set(unfolded);
      if (!next.delete(item.fold.begin)) next.add(item.fold.begin);
      setUnfolded(next);
    }
  };
  /** @param {number} by */
  const toError = (by) => {
    const from = current ? records.indexOf(current) : by > 0 ? -1 : records.length;
    for (let at = from + by; at >= 0 && at < records.length; at += by) {
      if (isError(records[at].severity)) return open(at);
    }
    if (by > 0 && loaded.cursor !== null) loaded.want(records.length + 1);
  };
  const onZoom = (/** @type {{begin: number, end: number} | null} */ zoom) =>
    navigate(withParameters({ zoom: zoom ? `${Math.round(zoom.begin)}-${Math.round(zoom.end)}` : null }), { replace: true });
  const onService = (/** @type {string} */ service) => {
    const next = new Set(services);
    if (!next.delete(service)) next.add(service);
    setSelected(-1);
    navigate(withParameters({ service: [...next].join(",") }), { replace: true });
  };
  const close = () => {
    setDetailed(null);
    handle.current?.focus();
  };
  useShortcuts([
    { keys: "j", what: "Next record", where: "Transaction", run: () => handle.current?.move(1) },
    { keys: "k", what: "Previous record", where: "Transaction", run: () => handle.current?.move(-1) },
    { keys: "Enter", what: "Details of the record, or unfold", where: "Transaction", run: () => activate(selected) },
    { keys: "n", what: "Next error", where: "Transaction", run: () => toError(1) },
    { keys: "N", what: "Previous error", where: "Transaction", run: () => toError(-1) },
    { keys: "z", what: "Zoom to all", where: "Transaction", run: () => onZoom(null) },
    { keys: "c", what: "Compare with similar ones", where: "Transaction", run: () => navigate(withParameters({ compare: compare ? null : 1 })) },
    { keys: "Escape", what: "Close the details", where: "Transaction", run: () => detailed && close() },
  ]);
  // The details go with the selection once they are open.
  useLayoutEffect(() => {
    if (detailed && current && detailed !== current && items[selected]?.kind === "record") setDetailed(current);
  }, [selected]);

  /** What the list shows, as times, for the lanes above it. @param {number} first @param {number} last */
  const see = (first, last) => {
    const from = recordAt(first) ?? recordAt(first + 1);
    const to = recordAt(last - 1) ?? recordAt(last - 2);
    sight.set(from && to ? { begin: between(begin, from.at ?? from.time), end: between(begin, to.at ?? to.time) } : null);
  };
  const uncertain = useMemo(() => records.some((record) => record.order_uncertain), [records]);
  const total = transaction.summary.records;
  const filtered = chosen !== "" || level !== "";
  const template = `${offset(span, span).length * 7 + 30}px minmax(80px, 132px) 46px minmax(0, 1fr)`;
  const expected = hosts > 1 ? " the hosts' clocks corrected" : "";

  return html`<div class="transaction">
    <header class="identity">
      <div class="grow" style=${{ flexBasis: "420px" }}>
        <h1><span class="visually-hidden">Transaction </span><code>${visible(bounded(transaction.id, 400))}</code><button type="button" class="button quiet icon small" aria-label="Copy the ID" title="Copy the ID" onClick=${() => copy(transaction.id, "ID")}><${icons.Copy} /></button></h1>
        <${Ids} transaction=${transaction} bridge=${bridge} />
      </div>
      <div class="actions">
        <button type="button" class="button" aria-pressed=${compare} onClick=${() => navigate(withParameters({ compare: compare ? null : 1 }))}><${icons.Compare} />Compare</button>
        <${Export} id=${asked} bridge=${bridge} />
        <button type="button" class="button" onClick=${() => copy(permalink(transaction.id), "Link")}><${icons.Link} />Copy link</button>
      </div>
    </header>
    <${Verdict} completeness=${transaction.completeness} live=${loaded.live} lost=${loaded.lost} />
    <${Cut} meta=${transaction.meta} />
    ${loaded.problem && html`<div class="note error" role="alert"><${icons.Alert} /><p class="grow">${loaded.problem.message}</p><button type="button" class="button small" onClick=${loaded.again}>Try again</button></div>`}
    <dl class="facts">
      <div><dt>Started</dt><dd>${full(summary.time_min)} <span class="faint small">${zone()}</span></dd></div>
      <div><dt>Duration</dt><dd>${duration(summary.duration_ns)}</dd></div>
      <div><dt>Records</dt><dd>${count(summary.records)}</dd></div>
      <div><dt>Errors</dt><dd class=${classes(summary.errors > 0 && "is-error")}>${summary.errors > 0 ? html`<button type="button" class="link is-error" title="To the first error (n)" onClick=${() => (summary.first_error != null ? setSeek({ index: summary.first_error }) : toError(1))}>${count(summary.errors)}</button>` : "none"}</dd></div>
      <div class="grow"><dt>Way</dt><dd class="path">${summary.services.map((service, at) => html`${at > 0 && html`<span class="arrow" aria-hidden="true">→</span>`}<span class="row" style=${{ gap: "5px" }}><span class="swatch" style=${{ "--tint": tint(service) }}></span>${visible(service)}</span>`)}</dd></div>
    </dl>
    ${compare && html`<${Comparison} id=${asked} onClose=${() => navigate(withParameters({ compare: null }))} />`}
    ${(transaction.lanes?.length ?? 0) > 0 && html`<${Waterfall} transaction=${transaction} begin=${begin} span=${span} records=${records} whole=${loaded.cursor === null && !filtered && records.length > 0} zoom=${zoom} onZoom=${onZoom}
      sight=${sight} selected=${current} off=${services} onService=${onService} onPick=${(/** @type {number | null} */ lane, /** @type {number} */ ns) => setSeek({ lane, ns })} clocks=${clocks} onClocks=${() => navigate(withParameters({ clocks: clocks ? null : 1 }), { replace: true })} />`}
    <section class="card records" aria-label="Records">
      <div class="main">
        <div class="toolbar">
          <h2>Records</h2>
          <div class="row wrap grow" role="group" aria-label="Services">${filtered || summary.services.length > 1 ? summary.services.slice(0, 12).map((service) => html`<button type="button" key=${service} class="chip hide-small" aria-pressed=${services.has(service)} onClick=${() => onService(service)}><span class="swatch" style=${{ "--tint": tint(service), height: "10px" }}></span>${service}</button>`) : ""}</div>
          <label class="field-label">Level <select class="select" aria-label="Lowest level" value=${level} onChange=${(/** @type {any} */ event) => {
            setSelected(-1);
            navigate(withParameters({ level: event.currentTarget.value }), { replace: true });
          }}><option value="">all</option>${LEVELS.slice(2).map((name) => html`<option value=${name} selected=${name === level}>${name === "fatal" ? name : `${name} and worse`}</option>`)}</select></label>
          ${folds.length > 0 && html`<button type="button" class="button" aria-pressed=${folding} title="Runs of alike lines are folded" onClick=${() => prefer("folds", folding ? "off" : "on")}>Folds</button>`}
          <button type="button" class="button" aria-pressed=${raw} title="The lines as they were written" onClick=${() => prefer("lines", raw ? "tidy" : "raw")}><${icons.Lines} />Raw</button>
        </div>
        <div class="head-row" style=${{ gridTemplateColumns: template }} aria-hidden="true"><span class="at" title=${`seconds since ${full(begin)}${expected}`}>+ s</span><span>Service</span><span>Level</span><span>Line</span></div>
        <div class=${classes("progress", loaded.loading && "busy")} role="presentation"></div>
        ${items.length === 0
          ? loaded.loading || loaded.stale
            ? html`<${Loading} rows=${8} what="Loading the records" />`
            : html`<div class="state compact"><strong>No record is left by the filter</strong><div class="row"><button type="button" class="button" onClick=${() => navigate(withParameters({ service: null, level: null }), { replace: true })}>Show all records</button></div></div>`
          : html`<${VirtualList} id="records" label="Records in order" count=${items.length} rowHeight=${ROW_HEIGHT} selected=${selected} handle=${handle}
              onSelect=${setSelected} onOpen=${activate} passes=${(/** @type {number} */ index) => items[index]?.kind === "silence"}
              onRange=${(/** @type {number} */ first, /** @type {number} */ last) => {
                see(first, last);
                if (last > items.length - 400) loaded.want(records.length + 1);
              }}
              row=${(/** @type {number} */ index, /** @type {object} */ properties) => html`<${Row} item=${items[index]} records=${records} begin=${begin} span=${span} raw=${raw} template=${template} properties=${properties} key=${index} />`} />`}
        <div class="foot">
          <span>${loaded.cursor !== null
            ? html`${count(records.length)} of ${filtered ? "more" : count(total)} records are loaded${loaded.loading ? "…" : ""}`
            : filtered ? html`${plural(records.length, "record")} of ${count(total)}` : plural(records.length, "record")}</span>
          ${loaded.cursor !== null && html`<button type="button" class="link" onClick=${() => loaded.want(Math.max(total, records.length + 100_000))}>Load all</button>`}
          ${filtered && html`<button type="button" class="link" onClick=${() => navigate(withParameters({ service: null, level: null }), { replace: true })}>Show all</button>`}
          <span class="grow"></span>
          ${uncertain && html`<span><span class="is-warn">≈</span> order uncertain</span>`}
          <span class="hide-small"><kbd>j</kbd> <kbd>k</kbd> move · <kbd>n</kbd> next error · <kbd>?</kbd> keys</span>
        </div>
      </div>
      ${detailed && html`<${Details} record=${detailed} onClose=${close} transaction=${transaction.id} base=${withParameters({ record: placeOf(detailed) })}
        heading=${html`${visible(detailed.service)} <span class="faint mono">${offset(between(begin, detailed.at ?? detailed.time), span)} s</span>`} />`}
    </section>
  </div>`;
}

/** @param {{item: Item, records: LogRecord[], begin: string, span: number, raw: boolean, template: string, properties: object}} props */
function Row({ item, records, begin, span, raw, template, properties }) {
  if (item.kind === "silence") {
    return html`<div class="rec break" ...${properties}><span class="line"></span><span><strong>${duration(item.duration)}</strong> of silence${item.uncertain > 0 ? ` (± ${duration(item.uncertain)})` : ""}</span><span class="line"></span></div>`;
  }
  const record = records[item.at];
  const ns = between(begin, record.at ?? record.time);
  if (item.kind === "fold") {
    return html`<div class="rec fold" style=${{ gridTemplateColumns: template }} ...${properties}>
      <span class="at">${offset(ns, span)}</span>
      <span class="who"><span class="swatch" style=${{ "--tint": tint(record.service) }}></span><span>${visible(record.service)}</span></span>
      <span class="sev"><span aria-hidden="true">${item.open ? "▾" : "▸"}</span><span class="visually-hidden">${item.open ? "unfolded" : "folded"}</span></span>
      <span class="text"><span class="count">${count(item.count)} alike</span>${visible(inRow(item.fold.template || record.line, 500))}</span>
    </div>`;
  }
  const ids = record.order_uncertain ? "order uncertain" : "";
  return html`<div class=${classes("rec", loudness(record.severity), item.grouped && "group")} style=${{ gridTemplateColumns: template }} ...${properties}>
    <span class="at" title=${full(record.at ?? record.time)}>${record.order_uncertain && html`<span class="unsure" title="the order is uncertain">≈</span>`}${offset(ns, span)}</span>
    <span class="who"><span class="swatch" style=${{ "--tint": tint(record.service) }}></span><span>${visible(record.service)}</span></span>
    <span class="sev">${record.severity === "unknown" ? "" : record.severity}${ids && html`<span class="visually-hidden">, ${ids}</span>`}</span>
    <${Text} record=${record} raw=${raw} />
  </div>`;
}

/**
 * The rows: records, the silences between them, and folds in place of what they hold.
 * @param {LogRecord[]} records
 * @param {Fold[]} folds
 * @param {import("../types.js").Silence[]} silences
 * @param {Set<number>} unfolded by where they begin
 * @param {boolean} filtered between filtered records a silence of all would be none
 * @returns {Item[]}
 */
function itemsOf(records, folds, silences, unfolded, filtered) {
  const quiet = new Map(filtered ? [] : silences.map((silence) => [silence.before, silence]));
  const sorted = [...folds].sort((left, right) => left.begin - right.begin);
  /** @type {Item[]} */
  const items = [];
  let next = 0;
  for (let at = 0; at < records.length; at += 1) {
    const index = records[at].index ?? at;
    const silence = quiet.get(index);
    if (silence) items.push({ kind: "silence", duration: silence.duration_ns, uncertain: silence.uncertainty_ns ?? 0 });
    while (next < sorted.length && sorted[next].end <= index) next += 1;
    const fold = sorted[next];
    if (!fold || index < fold.begin) {
      items.push({ kind: "record", at, grouped: false });
      continue;
    }
    let last = at;
    while (last + 1 < records.length && (records[last + 1].index ?? last + 1) < fold.end) last += 1;
    if (last === at) {
      items.push({ kind: "record", at, grouped: false });
      continue;
    }
    const open = unfolded.has(fold.begin);
    items.push({ kind: "fold", fold, at, count: last - at + 1, open });
    if (open) for (let inner = at; inner <= last; inner += 1) items.push({ kind: "record", at: inner, grouped: true });
    at = last;
  }
  return items;
}

/** @param {{transaction: import("../types.js").Transaction, bridge: string}} props */
function Ids({ transaction, bridge }) {
  const { joined = [], not_followed: left = [] } = transaction.bridges ?? {};
  const others = transaction.ids.filter((id) => id.value !== transaction.id);
  const kind = transaction.ids.find((id) => id.value === transaction.id)?.kind;
  if (others.length === 0 && left.length === 0 && !kind && bridge !== "off") return null;
  /** @param {string} value */
  const via = (value) => joined.find((one) => one.id === value);
  return html`<div class="others">
    ${kind && html`<span class="chip">${kind}</span>`}
    ${others.length > 0 && html`<span class="small dim">also</span>`}
    ${others.slice(0, 8).map((id) => {
      const bridge = via(id.value);
      return html`<a class="chip" key=${id.value} href=${`/t/${encodeURIComponent(id.value)}`} title=${bridge ? `joined through a record of ${bridge.by?.service ?? "a service"} that carries both; it brought ${plural(bridge.records, "record")}` : `${plural(id.records ?? 0, "record")} ${id.records === 1 ? "carries" : "carry"} it`}>${bridge && html`<${icons.Link} />`}<span class="mono">${visible(bounded(id.value, 60))}</span> ${id.kind}</a>`;
    })}
    ${others.length > 8 && html`<span class="small dim">and ${count(others.length - 8)} more</span>`}
    ${(joined.length > 0 || bridge === "off") && html`<button type="button" class="link small" onClick=${() => navigate(withParameters({ bridge: bridge === "off" ? null : "off" }))}>${bridge === "off" ? "follow other IDs as well" : "this ID alone"}</button>`}
    ${left.length > 0 && html`<details class="small dim"><summary>${plural(left.length, "ID")} not followed</summary><ul>${left.map((one) => html`<li><a href=${`/t/${encodeURIComponent(one.id)}`} class="mono">${visible(bounded(one.id, 100))}</a> ${one.detail ?? one.reason}</li>`)}</ul></details>`}
  </div>`;
}

/** @param {{id: string, bridge: string}} props */
function Export({ id, bridge }) {
  const formats = /** @type {const} */ ([["html", "Page", "to keep or send"], ["text", "Text", "lines as they are"], ["ndjson", "NDJSON", "a record a line"], ["otlp", "OTLP", "for other tools"]]);
  return html`<${Menu} label=${html`<${icons.Download} />Export`} title="Save all of it">${formats.map(([format, name, what]) => html`<a class="item" key=${format} download href=${`${transactionPath(id)}/export?format=${format}${bridge === "off" ? "&bridge=off" : ""}`}>${name}<small>${what}</small></a>`)}</${Menu}>`;
}

/** @param {{id: string, problem: Problem, again: () => void}} props */
function Unknown({ id, problem, again }) {
  const { searched } = problem.answer;
  const behind = worstFirst(problem.answer.agents_behind ?? []);
  const text = useAnswer(`unknown ${id}`, (signal) => /** @type {Promise<import("../types.js").SearchAnswer>} */ (ask("/api/v1/logs/search", { q: `"${id.replace(/[\\"]/g, "\\$&")}"`, limit: 1, timeout: "2s" }, signal)));
  const found = (text.value?.records.length ?? 0) > 0;
  return html`<div class="card"><div class="state">
    <${icons.Search} />
    <h1>No record carries this ID</h1>
    <p><code>${visible(bounded(id, 400))}</code></p>
    ${searched && html`<p>${searched.records != null ? html`Looked for among ${count(searched.records)} records${searched.from && searched.to ? html`, from ${full(searched.from)} to ${full(searched.to)}` : ""}.` : ""}</p>`}
    ${behind.length > 0
      ? html`<div class="note warn"><${icons.Clock} /><p>It may still come: ${behind.map((agent) => `${agent.host}${agent.connected === false ? " is not connected" : agent.behind_ns != null ? ` is behind by ${duration(agent.behind_ns)}` : " has not shipped everything yet"}`).join(", ")}. This page asks again by itself.</p></div>`
      : html`<p class="dim">Every agent had shipped what its files held a moment ago. If the ID is younger, it comes: this page asks again by itself.</p>`}
    ${found && html`<p>It stands in the text of records, though not as an ID.</p>`}
    <div class="row"><a class=${classes("button", found && "primary")} href=${searchAddress(quoted(id))}>Search for it as text</a><button type="button" class="button" onClick=${again}>Ask again</button></div>
  </div></div>`;
}

/** The page as it is shown, under the ID's own spelling. @param {string} id */
const permalink = (id) => `${location.origin}/t/${encodeURIComponent(id)}${new URL(withParameters({}), location.href).search}`;

/** @param {string[]} times */
const earliest = (times) => times.reduce((least, time) => (between(least, time) < 0 ? time : least));
/** @param {string[]} times */
const latest = (times) => times.reduce((most, time) => (between(most, time) > 0 ? time : most));

/** @param {string | null} text @param {number} span */
function zoomOf(text, span) {
  const parts = /^(\d+)-(\d+)$/.exec(text ?? "");
  const begin = parts ? Math.min(Number(parts[1]), span) : 0;
  const end = parts ? Math.min(Number(parts[2]), span) : span;
  return end > begin ? { begin, end } : { begin: 0, end: span };
}
