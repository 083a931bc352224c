// Transactions: which there were, how long they took, and which failed.
import { html, classes } from "../lib/html.js";
import { useEffect, useMemo, useState } from "../vendor/hooks.js";
import { ask } from "../lib/api.js";
import { count, duration, percent } from "../lib/format.js";
import { navigate, useAddress, withParameters } from "../lib/router.js";
import { bounded, visible } from "../lib/text.js";
import { full, zone } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useTitle } from "../lib/use.js";
import { Scatter } from "../parts/scatter.js";
import { Cut, Empty, Failed, Loading, sentence } from "../parts/states.js";
import { TimePicker } from "../parts/time-picker.js";

const FROM = "-1h";
const PAGE = 500;
const SORTS = /** @type {const} */ ([["newest", "Began"], ["duration", "Duration"], ["records", "Records"], ["errors", "Errors"]]);

export function TransactionsPage() {
  useTitle("Transactions");
  const { parameters } = useAddress();
  const of = (/** @type {string} */ name) => parameters.get(name) ?? "";
  const from = of("from") || FROM;
  const to = of("to");
  const sort = of("sort") || "newest";
  const errors = of("errors") === "true";
  const asked = { from: from === "all" ? "" : from, to, service: of("service"), entry: of("entry"), min_duration: of("min_duration"), max_duration: of("max_duration"), errors: errors ? "true" : "", q: of("q"), sort };
  const key = JSON.stringify(asked);
  const answer = useAnswer(key, (signal) => /** @type {Promise<import("../types.js").TransactionsAnswer>} */ (ask("/api/v1/transactions", { ...asked, limit: PAGE }, signal)));
  const services = useAnswer("services", (signal) => /** @type {Promise<import("../types.js").ServicesAnswer>} */ (ask("/api/v1/services", {}, signal)));
  const [more, setMore] = useState(/** @type {{key: string, list: import("../types.js").Brief[], cursor: string | null, busy: boolean, problem: string}} */ ({ key: "", list: [], cursor: null, busy: false, problem: "" }));
  useEffect(() => {
    if (answer.value) setMore({ key, list: [], cursor: answer.value.next_cursor, busy: false, problem: "" });
  }, [answer.value]);
  const load = async () => {
    setMore({ ...more, busy: true, problem: "" });
    try {
      const next = /** @type {import("../types.js").TransactionsAnswer} */ (await ask("/api/v1/transactions", { ...asked, limit: PAGE, cursor: more.cursor }));
      setMore((before) => (before.key === key ? { key, list: [...before.list, ...next.transactions], cursor: next.next_cursor, busy: false, problem: "" } : before));
    } catch (error) {
      setMore((before) => (before.key === key ? { ...before, busy: false, problem: sentence(/** @type {Error} */ (error).message) } : before));
    }
  };
  const { value } = answer;
  const briefs = useMemo(() => (value ? [...value.transactions, ...(more.key === key ? more.list : [])] : []), [value, more.list, more.key === key]);
  const summary = value?.summary;
  /** @param {Record<string, string | null>} changes */
  const change = (changes) => navigate(withParameters(changes));
  const names = services.value?.services.map((service) => service.service) ?? [];
  /** @param {string} name @param {string} label @param {string} all */
  const choice = (name, label, all) => html`<label class="field-label">${label} <select class="select" value=${of(name)} onChange=${(/** @type {any} */ event) => change({ [name]: event.currentTarget.value })}><option value="">${all}</option>${[...new Set([...names, ...(of(name) ? [of(name)] : [])])].map((one) => html`<option value=${one} selected=${one === of(name)}>${one}</option>`)}</select></label>`;
  return html`<div class="stack" style=${{ gap: "14px" }}>
    <div class="page-head" style=${{ marginBottom: 0 }}><h1 class="grow">Transactions</h1></div>
    <div class="row wrap">
      <${TimePicker} from=${from} to=${to} onRange=${(/** @type {string} */ from, /** @type {string} */ to) => change({ from: from === FROM ? null : from, to })} />
      ${choice("entry", "Began at", "any service")}
      ${choice("service", "Went through", "any service")}
      <${Text} label="Longer than" value=${of("min_duration")} placeholder="200ms" onChange=${(/** @type {string} */ text) => change({ min_duration: text })} />
      <${Text} label="With" value=${of("q")} placeholder="a query over its records" wide onChange=${(/** @type {string} */ text) => change({ q: text })} />
      <button type="button" class="button" aria-pressed=${errors} onClick=${() => change({ errors: errors ? null : "true" })}><span class="dot error"></span>With errors</button>
      ${[...parameters.keys()].length > 0 && html`<a class="small" href="/transactions">Without filters</a>`}
    </div>
    ${answer.problem ? html`<div class="card"><${Failed} problem=${answer.problem} again=${answer.again} /></div>` : !value ? html`<div class="card"><${Loading} rows=${8} what="Loading transactions" /></div>` : html`
      <${Cut} meta=${value.meta} partial="the time was up before all transactions had been looked at" />
      ${summary && html`<dl class="tiles">
        <div><dt>Transactions</dt><dd>${count(summary.transactions)}</dd></div>
        <div><dt>With errors</dt><dd class=${classes(summary.with_errors > 0 && "is-error")}>${count(summary.with_errors)} <small>${summary.transactions > 0 ? percent(summary.with_errors / summary.transactions) : ""}</small></dd></div>
        ${/** @type {const} */ ([["p50", "Median"], ["p90", "90 % below"], ["p95", "95 % below"], ["p99", "99 % below"], ["max", "Longest"]]).map(([name, label]) => html`<div><dt>${label}</dt><dd>${duration(summary.duration_ns?.[name])}</dd></div>`)}
      </dl>`}
      ${briefs.length === 0
        ? html`<div class="card"><${Empty} title="No transaction fits"><p>${from === "all" ? "In all that is kept." : "In this time and with these filters."}</p><div class="row"><button type="button" class="button" onClick=${() => change({ from: "-24h", to: null })}>Look through the last 24 hours</button><a class="button" href="/transactions?from=all">All there are</a></div></${Empty}></div>`
        : html`<section class="card" aria-label="Durations over time">
            <header><h2 class="grow">Duration</h2><span class="legend small" aria-hidden="true"><span><i style=${{ "--tint": "var(--lane)", borderRadius: "50%" }}></i>without errors</span><span><i style=${{ "--tint": "var(--error-mark)", borderRadius: "50%" }}></i>with errors</span>${(summary?.by_time?.length ?? 0) > 1 && html`<span>— median</span><span>┄ 95 % below</span>`}</span><span class="small dim">${(summary?.transactions ?? 0) > briefs.length ? html`the ${SORT_WORDS[sort] ?? ""} ${count(briefs.length)} of ${count(summary?.transactions)} are shown` : ""}</span></header>
            <div class="chart"><${Scatter} briefs=${briefs} summary=${summary} onRange=${(/** @type {number} */ begin, /** @type {number} */ end) => change({ from: new Date(begin).toISOString(), to: new Date(Math.ceil(end)).toISOString() })} /></div>
          </section>
          <section class="card" aria-label="Transactions"><div class="scroll-x" tabindex="0" role="group" aria-label="Table of transactions"><table class="table">
            <thead><tr>${SORTS.slice(0, 1).map(([name, label]) => html`<th aria-sort=${sort === name ? "descending" : undefined}><${Sort} name=${name} label=${`${label} (${zone()})`} sort=${sort} onSort=${(/** @type {string} */ sort) => change({ sort: sort === "newest" ? null : sort })} /></th>`)}
              <th>Transaction</th><th>Began at</th><th class="hide-small">Services</th>${SORTS.slice(1).map(([name, label]) => html`<th class="number" aria-sort=${sort === name ? "descending" : undefined}><${Sort} name=${name} label=${label} sort=${sort} onSort=${(/** @type {string} */ sort) => change({ sort })} /></th>`)}</tr></thead>
            <tbody>${briefs.map((brief) => html`<tr key=${brief.id}>
              <td class="nowrap">${full(brief.time_min)}</td>
              <td><a class="mono nowrap" href=${`/t/${encodeURIComponent(brief.id)}`}>${visible(bounded(brief.id, 40))}</a></td>
              <td><span class="row"><span class="swatch" style=${{ "--tint": tint(brief.entry_service ?? "") }}></span>${visible(brief.entry_service ?? "–")}</span></td>
              <td class="hide-small"><span class="row" style=${{ gap: "3px" }} title=${(brief.services ?? []).join(", ")}>${(brief.services ?? []).slice(0, 12).map((service) => html`<span class="swatch" style=${{ "--tint": tint(service) }}></span>`)}<span class="small dim">${count(brief.services?.length ?? 0)}</span></span></td>
              <td class="number"><${Meter} part=${brief.duration_ns} of=${summary?.duration_ns?.max ?? 0} />${duration(brief.duration_ns)}</td>
              <td class="number">${count(brief.records)}</td>
              <td class=${classes("number", brief.errors > 0 && "is-error")}>${brief.errors > 0 ? count(brief.errors) : html`<span class="faint">none</span>`}</td></tr>`)}</tbody></table></div>
            ${more.cursor !== null && more.key === key && html`<div class="foot"><button type="button" class="button small" disabled=${more.busy} onClick=${load}>${more.busy ? "Loading…" : "Load more"}</button><span>${count(briefs.length)} of ${count(summary?.transactions)} are listed</span><span class="is-error" role="status">${more.problem}</span></div>`}
          </section>`}`}
  </div>`;
}

const SORT_WORDS = /** @type {Record<string, string>} */ ({ newest: "newest", oldest: "oldest", duration: "slowest", errors: "worst", records: "longest" });

/** @param {{part: number, of: number}} props */
const Meter = ({ part, of }) => (of > 0 ? html`<span class="meter hide-small" style=${{ width: "70px", display: "inline-block", verticalAlign: "middle", marginRight: "10px" }} aria-hidden="true"><span style=${{ width: `${Math.max(1.5, (100 * part) / of)}%` }}></span></span>` : null);

/** @param {{name: string, label: string, sort: string, onSort: (name: string) => void}} props */
const Sort = ({ name, label, sort, onSort }) => html`<button type="button" class="sort" aria-pressed=${sort === name} onClick=${() => onSort(name)}>${label}${sort === name ? " ↓" : ""}</button>`;

/** @param {{label: string, value: string, placeholder: string, wide?: boolean, onChange: (text: string) => void}} props */
const Text = ({ label, value, placeholder, wide, onChange }) => html`<label class="field-label">${label} <input class="input" style=${{ width: wide ? "210px" : "84px" }} value=${value} placeholder=${placeholder} autocomplete="off" spellcheck=${false} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value.trim())} /></label>`;
