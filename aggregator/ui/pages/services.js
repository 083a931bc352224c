// Services: who calls whom, how much each writes, and how much of it is bad.
import { html, classes } from "../lib/html.js";
import { ask } from "../lib/api.js";
import { count, duration, percent, short } from "../lib/format.js";
import { navigate, useAddress, withParameters } from "../lib/router.js";
import { visible } from "../lib/text.js";
import { parse } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useTitle } from "../lib/use.js";
import { Graph } from "../parts/graph.js";
import { Sparkline } from "../parts/sparkline.js";
import { Cut, Empty, Failed, Loading, Stale } from "../parts/states.js";
import { TimePicker } from "../parts/time-picker.js";

const FROM = "-1h";

export function ServicesPage() {
  useTitle("Services");
  const { parameters } = useAddress();
  const from = parameters.get("from") ?? FROM;
  const to = parameters.get("to") ?? "";
  const range = { from: from === "all" ? "" : from, to };
  const key = JSON.stringify(range);
  const answer = useAnswer(key, (signal) => /** @type {Promise<import("../types.js").ServicesAnswer>} */ (ask("/api/v1/services", range, signal)), { every: 30_000 });
  const graph = useAnswer(key, (signal) => /** @type {Promise<import("../types.js").GraphAnswer>} */ (ask("/api/v1/services/graph", range, signal)), { every: 30_000 });
  const services = answer.value?.services ?? [];
  const search = (/** @type {string} */ service, /** @type {string} */ more) => `/search?${new URLSearchParams({ q: `service:"${service}"${more}`, from, ...(to ? { to } : {}) })}`;
  const times = { ...(from === FROM ? {} : { from }), ...(to ? { to } : {}) };
  const transactions = (/** @type {string} */ entry, /** @type {Record<string, string>} */ more) => `/transactions?${new URLSearchParams({ entry, ...times, ...more })}`;
  return html`<div class="stack" style=${{ gap: "14px" }}>
    <div class="page-head" style=${{ marginBottom: 0 }}><h1 class="grow">Services</h1><${TimePicker} from=${from} to=${to} onRange=${(/** @type {string} */ from, /** @type {string} */ to) => navigate(withParameters({ from: from === FROM ? null : from, to }))} /></div>
    <${Stale} answer=${answer} />
    <section class="card" aria-label="Who calls whom">
      <header class="wraps"><h2 class="grow">Who calls whom</h2>${!answer.problem && html`<${Stale} compact answer=${graph} />`}<span class="small dim">${graph.value?.transactions != null ? html`from ${count(graph.value.transactions)} transactions · ` : ""}solid: spans say so, dashed: one comes before the other</span></header>
      ${graph.problem && !graph.value ? html`<${Failed} compact problem=${graph.problem} again=${graph.again} />` : !graph.value ? html`<${Loading} rows=${5} /> ` : graph.value.services.length === 0 ? html`<${Empty} compact title="No service took part in a transaction in this time" />` : html`<div class="body"><${Graph} graph=${graph.value} services=${services} /></div>`}
    </section>
    <${Cut} meta=${answer.value?.meta} partial="the time was up before everything had been counted" />
    <section class="card" aria-label="Rates">
      ${answer.problem && !answer.value ? html`<${Failed} problem=${answer.problem} again=${answer.again} />` : !answer.value ? html`<${Loading} rows=${7} what="Loading services" />` : services.length === 0 ? html`<${Empty} title="No service has written anything in this time" /> ` : html`<div class="scroll-x" tabindex="0" role="group" aria-label="Table of services"><table class="table">
        <thead><tr><th>Service</th><th>Hosts</th><th>Over time</th><th class="number">Records</th><th class="number">Records/s</th><th class="number">Errors</th><th class="number">Begun here</th><th class="number">Of them failed</th><th class="number">Median</th><th class="number">95 % below</th></tr></thead>
        <tbody>${services.map((service) => html`<tr key=${service.service}>
          <td><a class="row" href=${search(service.service, "")}><span class="swatch" style=${{ "--tint": tint(service.service) }}></span>${visible(service.service)}</a></td>
          <td class="small dim">${visible((service.hosts ?? []).slice(0, 3).join(", "))}${(service.hosts?.length ?? 0) > 3 ? ` and ${count((service.hosts?.length ?? 0) - 3)} more` : ""}</td>
          <td><${Sparkline} points=${service.by_time ?? []} begin=${answer.value?.from ? parse(answer.value.from).ms * 1e6 : undefined} end=${answer.value?.to ? parse(answer.value.to).ms * 1e6 : undefined} /></td>
          <td class="number">${count(service.records)}</td>
          <td class="number">${service.records_per_s == null ? "–" : short(service.records_per_s)}</td>
          <td class=${classes("number", service.errors > 0 && "is-error")}>${service.errors > 0 ? html`<a class="is-error" href=${search(service.service, " level:>=error")}>${count(service.errors)}</a> <span class="small">${percent(service.errors / Math.max(1, service.records))}</span>` : html`<span class="faint">none</span>`}</td>
          <td class="number">${service.entries ? html`<a href=${transactions(service.service, {})}>${count(service.entries)}</a>` : html`<span class="faint">none</span>`}</td>
          <td class=${classes("number", (service.entries_with_errors ?? 0) > 0 && "is-error")}>${service.entries_with_errors ? html`<a class="is-error" href=${transactions(service.service, { errors: "true" })}>${count(service.entries_with_errors)}</a> <span class="small">${percent(service.entries_with_errors / Math.max(1, service.entries ?? 0))}</span>` : html`<span class="faint">none</span>`}</td>
          <td class="number">${duration(service.p50_ns)}</td><td class="number">${duration(service.p95_ns)}</td></tr>`)}</tbody></table></div>`}
    </section>
  </div>`;
}
