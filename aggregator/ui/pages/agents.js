// Agents: who ships what, how far behind it is, what it lost, and how far its clock is off.
import { html, classes } from "../lib/html.js";
import { useState } from "../vendor/hooks.js";
import { ask } from "../lib/api.js";
import { ago, bytes, count, duration, plural } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { full, parse, zone } from "../lib/time.js";
import { tint } from "../lib/tint.js";
import { useAnswer, useClock, useTitle } from "../lib/use.js";
import { health } from "../parts/health.js";
import { Empty, Failed, Loading, Stale } from "../parts/states.js";
import { term } from "../lib/query.js";

const SOURCES_SHOWN = 200;

export function AgentsPage() {
  useTitle("Agents");
  useClock(1000);
  const answer = useAnswer("agents", (signal) => /** @type {Promise<import("../types.js").AgentsAnswer>} */ (ask("/api/v1/status/agents", {}, signal)), { every: 3_000 });
  const agents = answer.value?.agents;
  const troubled = agents?.filter((agent) => !["good", ""].includes(health(agent).level)).length ?? 0;
  return html`<div class="stack" style=${{ gap: "14px" }}>
    <div class="page-head" style=${{ marginBottom: 0 }}><h1>Agents</h1>${agents && agents.length > 0 && !answer.problem && html`<p>${troubled === 0 ? html`<span class="row"><span class="dot good"></span>all ${count(agents.length)} ship</span>` : html`<span class="row"><span class="dot warn"></span>${count(troubled)} of ${count(agents.length)} may need a look</span>`}</p>`}</div>
    ${answer.problem && !agents ? html`<div class="card"><${Failed} problem=${answer.problem} again=${answer.again} /></div>` : !agents ? html`<div class="card"><${Loading} rows=${6} what="Loading agents" /></div>` : agents.length === 0
      ? html`<div class="card"><${Empty} title="No agent has said hello yet"><p>On a host with logs: <code>clew-agent run --config agent.toml</code></p></${Empty}></div>`
      : html`<${Stale} answer=${answer} />${agents.map((agent) => html`<${One} key=${agent.agent_id} agent=${agent} open=${agents.length <= 3} />`)}`}
  </div>`;
}

/** @param {{agent: import("../types.js").Agent, open: boolean}} props */
function One({ agent, open: initially }) {
  const [open, setOpen] = useState(initially);
  const [closed, setClosed] = useState(false);
  const { level, word } = health(agent);
  const gaps = agent.sources.flatMap((source) => source.gaps.map((gap) => ({ ...gap, source })));
  const sources = closed ? agent.sources : agent.sources.filter((source) => source.open || source.gaps.length > 0);
  const hidden = agent.sources.length - sources.length;
  return html`<section class="card" aria-label=${`Agent on ${agent.host}`}>
    <header><span class=${classes("dot", level)}></span><h2>${visible(agent.host)}</h2><span class=${classes("small", level === "error" ? "is-error" : level === "warn" ? "is-warn" : "dim")}>${word}</span><span class="small faint grow clip hide-small">version ${visible(agent.version)} · <span class="mono">${agent.agent_id}</span></span>
      <button type="button" class="button small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${plural(agent.sources.length, "source")}</button></header>
    <div class="body"><dl class="facts">
      <div><dt>Behind</dt><dd class=${classes(level === "warn" && "is-warn")}>${agent.behind_ns == null ? "unknown" : duration(agent.behind_ns)}</dd></div>
      <div><dt>Shipped everything up to</dt><dd>${agent.watermark ? html`${full(agent.watermark)} <span class="faint small">${zone()}</span>` : "nothing said yet"}</dd></div>
      <div><dt>Heard of</dt><dd>${ago(parse(agent.last_seen).ms)}</dd></div>
      <div><dt>Unread</dt><dd>${bytes(agent.unread_bytes)}</dd></div>
      <div><dt>Our clock minus its clock</dt><dd>${agent.clock_offset_ns == null ? "not measured" : html`${duration(agent.clock_offset_ns)}${agent.clock_uncertainty_ns != null ? html` <span class="faint small">± ${duration(agent.clock_uncertainty_ns)}</span>` : ""}`}</dd></div>
      <div><dt>Records</dt><dd>${count(agent.sources.reduce((sum, source) => sum + source.records, 0))}</dd></div>
      <div><dt>Lost</dt><dd class=${classes(gaps.length > 0 && "is-error")}>${gaps.length > 0 ? bytes(agent.sources.reduce((sum, source) => sum + source.gap_bytes, 0)) : "nothing"}</dd></div>
    </dl></div>
    ${gaps.length > 0 && html`<div class="body" style=${{ borderTop: "1px solid var(--rule)" }}><h3>Lost bytes</h3><ul>${gaps.slice(0, 50).map((gap) => html`<li class="small"><span class="mono">${visible(gap.source.file)}</span> from byte ${count(gap.begin)}${gap.open_ended ? ", nobody knows how many" : html` to ${count(gap.end)} (${bytes(gap.end - gap.begin)})`}: <span class="is-error">${gap.reason}</span>, declared ${full(gap.declared)}</li>`)}</ul></div>`}
    ${open && html`<div class="scroll-x" tabindex="0" role="group" aria-label=${`Sources of ${agent.host}`} style=${{ borderTop: "1px solid var(--rule)" }}><table class="table">
      <thead><tr><th>Service</th><th>File</th><th class="number">Records</th><th class="number">Held up to byte</th><th class="number">Lost</th><th class="number">Last record</th></tr></thead>
      <tbody>${sources.slice(0, SOURCES_SHOWN).map((source) => html`<tr key=${source.source_id}>
        <td><a class="row" href=${`/search?${new URLSearchParams({ q: term("source", source.source_id), from: "all" })}`}><span class="swatch" style=${{ "--tint": tint(source.service) }}></span>${visible(source.service)}</a></td>
        <td class="mono">${visible(source.file)}${source.open ? "" : html` <span class="chip">closed</span>`}${Object.entries(source.labels ?? {}).slice(0, 6).map(([name, value]) => html` <span class="chip">${visible(name)}=${visible(value)}</span>`)}</td>
        <td class="number">${count(source.records)}</td><td class="number">${count(source.frontier)}</td>
        <td class=${classes("number", source.gap_bytes > 0 && "is-error")}>${source.gap_bytes > 0 || source.gaps.length > 0 ? bytes(source.gap_bytes) : html`<span class="faint">nothing</span>`}</td>
        <td class="number nowrap">${ago(parse(source.last).ms)}</td></tr>`)}</tbody></table></div>
      ${(hidden > 0 || closed || sources.length > SOURCES_SHOWN) && html`<div class="foot">${sources.length > SOURCES_SHOWN && html`<span>the first ${count(SOURCES_SHOWN)} of ${count(sources.length)} are shown</span>`}${(hidden > 0 || closed) && html`<button type="button" class="link" onClick=${() => setClosed(!closed)}>${closed ? "Hide closed ones" : `Show ${plural(hidden, "closed one")}`}</button>`}</div>`}`}
  </section>`;
}
