// Where everything begins: the one box, and below it what may need a look.
import { html, classes } from "../lib/html.js";
import { ask } from "../lib/api.js";
import { ago, count, duration, percent, short } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { parse } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useTitle } from "../lib/use.js";
import { Briefs } from "../parts/briefs.js";
import { health } from "../parts/health.js";
import { Omni } from "../parts/omni.js";
import { Sparkline } from "../parts/sparkline.js";
import { Empty, Failed, Loading, Stale } from "../parts/states.js";

const EVERY_MS = 10_000;

export function HomePage() {
  useTitle("");
  return html`<div class="home">
    <div class="hero">
      <h1>What happened to this request?</h1>
      <p>On every service, in order, and whether that is all of it.</p>
      <${Omni} large />
      <p class="hints" style=${{ fontSize: "12.5px" }}><span>any spelling of the ID</span><span>a line with an ID somewhere in it</span><span><code>level:error "connection reset"</code></span></p>
    </div>
    <div class="grid-2">
      <${Recent} title="Failing lately" parameters=${{ errors: true, from: "-1h", sort: "newest", limit: 7 }} empty="Nothing failed in the last hour" more="/transactions?errors=true" />
      <${Recent} title="Slowest of the last hour" parameters=${{ from: "-1h", sort: "duration", limit: 7 }} empty="No transaction in the last hour" more="/transactions?sort=duration" />
    </div>
    <div class="grid-2"><${Services} /><${Agents} /></div>
  </div>`;
}

/** @param {{title: string, parameters: import("../lib/api.js").Parameters, empty: string, more: string}} props */
function Recent({ title, parameters, empty, more }) {
  const answer = useAnswer(title, (signal) => /** @type {Promise<import("../types.js").TransactionsAnswer>} */ (ask("/api/v1/transactions", parameters, signal)), { every: EVERY_MS });
  const briefs = answer.value?.transactions;
  return html`<section class="card" aria-label=${title}>
    <header><h2 class="grow">${title}</h2><${Stale} compact answer=${answer} /><a class="small" href=${more}>all</a></header>
    ${answer.problem && !briefs ? html`<${Failed} compact problem=${answer.problem} again=${answer.again} />` : !briefs ? html`<${Loading} rows=${5} />` : briefs.length === 0 ? html`<${Empty} compact title=${empty} />` : html`<${Briefs} briefs=${briefs} />`}
  </section>`;
}

function Services() {
  const answer = useAnswer("services", (signal) => /** @type {Promise<import("../types.js").ServicesAnswer>} */ (ask("/api/v1/services", { from: "-1h" }, signal)), { every: EVERY_MS });
  const { value } = answer;
  return html`<section class="card" aria-label="Services">
    <header><h2 class="grow">Services</h2><${Stale} compact answer=${answer} /><a class="small" href="/services">graph and rates</a></header>
    ${answer.problem && !value ? html`<${Failed} compact problem=${answer.problem} again=${answer.again} />` : !value ? html`<${Loading} rows=${5} />` : value.services.length === 0 ? html`<${Empty} compact title="No service has written anything yet" />` : html`<table class="table">
      <thead><tr><th>Service</th><th>Last hour</th><th class="number">Records/s</th><th class="number">Errors</th></tr></thead>
      <tbody>${value.services.slice(0, 8).map((service) => html`<tr key=${service.service}>
        <td><a class="row" href=${`/search?${new URLSearchParams({ q: `service:"${service.service}"`, from: "-1h" })}`}><span class="swatch" style=${{ "--tint": tint(service.service) }}></span>${visible(service.service)}</a></td>
        <td><${Sparkline} points=${service.by_time ?? []} begin=${value.from ? parse(value.from).ms * 1e6 : undefined} end=${value.to ? parse(value.to).ms * 1e6 : undefined} /></td>
        <td class="number">${service.records_per_s == null ? "–" : short(service.records_per_s)}</td>
        <td class=${classes("number", service.errors > 0 && "is-error")}>${service.errors > 0 ? percent(service.errors / Math.max(1, service.records)) : html`<span class="faint">none</span>`}</td></tr>`)}</tbody></table>`}
  </section>`;
}

function Agents() {
  const answer = useAnswer("agents", (signal) => /** @type {Promise<import("../types.js").AgentsAnswer>} */ (ask("/api/v1/status/agents", {}, signal)), { every: 5_000 });
  const agents = answer.value?.agents;
  return html`<section class="card" aria-label="Agents">
    <header><h2 class="grow">Agents</h2><${Stale} compact answer=${answer} /><a class="small" href="/agents">sources and clocks</a></header>
    ${answer.problem && !agents ? html`<${Failed} compact problem=${answer.problem} again=${answer.again} />` : !agents ? html`<${Loading} rows=${3} />` : agents.length === 0
      ? html`<${Empty} compact title="No agent has said hello yet"><p>Start one with <code>clew-agent run --config agent.toml</code></p></${Empty}>`
      : html`<table class="table"><thead><tr><th>Host</th><th>State</th><th class="number">Behind</th><th class="number">Files</th></tr></thead><tbody>${agents.slice(0, 8).map((agent) => {
        const { level, word } = health(agent);
        return html`<tr key=${agent.agent_id}><td><a class="row" href="/agents"><span class=${classes("dot", level)}></span>${visible(agent.host)}</a></td><td class=${classes(level === "error" ? "is-error" : level === "warn" ? "is-warn" : "dim")}>${word}${agent.connected ? "" : html` <span class="faint">${ago(parse(agent.last_seen).ms)}</span>`}</td>
          <td class="number">${duration(agent.behind_ns)}</td><td class="number">${count(agent.sources.filter((source) => source.open).length)}</td></tr>`;
      })}</tbody></table>`}
  </section>`;
}
