// Is that all of it? The one sentence that the page exists for, and behind it who is behind, and what was lost.
import { html, classes } from "../lib/html.js";
import { useEffect, useState } from "../vendor/hooks.js";
import { bytes, count, duration, plural } from "../lib/format.js";
import { exact, full, zone } from "../lib/time.js";
import { visible } from "../lib/text.js";
import { upper } from "./states.js";
import * as icons from "./icons.js";

const SIGNS = /** @type {Record<string, any>} */ ({ settled: icons.Check, open: icons.Clock, gapped: icons.Gap, expired: icons.Archive });
const WORDS = /** @type {Record<string, string>} */ ({ settled: "Complete", open: "Not complete yet", gapped: "Something is missing", expired: "Partly expired" });

/** @param {{completeness: import("../types.js").Completeness, live: boolean, lost: boolean}} props lost: nobody tells what comes in, for now */
export function Verdict({ completeness, live, lost }) {
  const { state, agents_gone: gone = [], gaps = [], reasons = [] } = completeness;
  const behind = worstFirst(completeness.agents_behind ?? []);
  const more = behind.length + gone.length + gaps.length + Math.max(0, reasons.length - 1) > 0 || Boolean(completeness.removed_before);
  const upTo = completeness.as_of ?? completeness.complete_to;
  const [open, setOpen] = useState(state === "gapped");
  useEffect(() => {
    if (state === "gapped") setOpen(true);
  }, [state]);
  const Sign = SIGNS[state] ?? icons.Help;
  return html`<section class=${`verdict ${state}`} aria-label="Is that all of it?">
    <div class="line">
      <span class="sign"><${Sign} /></span>
      <p class="grow" role="status"><strong>${WORDS[state] ?? upper(state)}.</strong> ${visible(sentence(completeness))}</p>
      ${live && html`<span class=${classes("live", lost && "lost")} role="status"><span class="dot"></span>${lost ? "connection lost, trying again" : "live until settled"}</span>`}
      ${more && html`<button type="button" class="button quiet small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Less" : "Why"}</button>`}
    </div>
    ${open && more && html`<div class="why">
      ${reasons.length > 1 && html`<ul>${reasons.map((reason) => html`<li>${visible(reason)}</li>`)}</ul>`}
      ${behind.length > 0 && html`<div><h3>Waiting for</h3><ul>${behind.map((agent) => html`<li key=${agent.agent_id}><strong>${agent.host}</strong> ${agent.connected === false ? "is not connected" : "is connected"}${agent.behind_ns != null ? html`, behind by ${duration(agent.behind_ns)}` : ""}${agent.watermark ? html`; it has shipped everything up to ${full(agent.watermark)}` : "; it has never said that it shipped everything"}</li>`)}</ul></div>`}
      ${gone.length > 0 && html`<div><h3>Not waited for</h3><ul>${gone.map((agent) => html`<li key=${agent.agent_id}><strong>${agent.host}</strong> ${agent.retired ? "is retired" : "is gone"}${agent.watermark ? html`; its last word was that it had shipped everything up to ${full(agent.watermark)}` : ""}</li>`)}</ul></div>`}
      ${gaps.length > 0 && html`<div><h3>Lost bytes</h3><ul>${gaps.map((gap) => html`<li><strong>${visible(gap.service ?? "")}</strong> on ${visible(gap.host ?? "")}: <span class="mono">${visible(gap.file ?? "")}</span> from byte ${count(gap.begin)}${gap.open_ended ? ", nobody knows how many" : html` to ${count(gap.end)} (${bytes(gap.end - gap.begin)})`}: ${REASONS[gap.reason] ?? gap.reason}, declared ${full(gap.declared)}</li>`)}</ul></div>`}
      ${completeness.removed_before && html`<p>What was received before ${full(completeness.removed_before)} has been removed by retention.</p>`}
      ${(completeness.days_set_aside?.length ?? 0) > 0 && html`<p>Days that could not be read and were set aside: ${(completeness.days_set_aside ?? []).join(", ")}.</p>`}
      ${(completeness.blocks_damaged ?? 0) > 0 && html`<p>${plural(completeness.blocks_damaged ?? 0, "damaged block")} could not be read; what ${completeness.blocks_damaged === 1 ? "it" : "they"} held is missing.</p>`}
      ${upTo && html`<p class="dim">Holds for everything that was written up to ${exact(upTo)} ${zone()}.</p>`}
    </div>`}
  </section>`;
}

/** Those that are away, then those that are far behind. @param {import("../types.js").AgentBehind[]} agents */
export const worstFirst = (agents) => [...agents].sort((left, right) => Number(right.connected === false) - Number(left.connected === false) || (right.behind_ns ?? Infinity) - (left.behind_ns ?? Infinity));

const REASONS = /** @type {Record<string, string>} */ ({ truncated: "the file was truncated before they were read", deleted: "the file was deleted before they were read", unreadable: "they could not be read", vanished: "the file vanished", unknown: "nobody knows why" });

/** @param {import("../types.js").Completeness} completeness */
function sentence({ state, as_of, complete_to, agents_behind = [], gaps = [], removed_before, reasons = [] }) {
  if (reasons.length > 0) return `${reasons[0]}${/[.!?]$/.test(reasons[0]) ? "" : "."}`;
  if (state === "settled") return as_of ?? complete_to ? `Every agent has shipped what its files held up to ${full(as_of ?? complete_to ?? "")} ${zone()}.` : "Every agent has shipped what its files held.";
  if (state === "open") {
    const behind = worstFirst(agents_behind);
    const [first] = behind;
    const worst = behind.reduce((most, agent) => Math.max(most, agent.behind_ns ?? 0), 0);
    if (!first) return "Somebody may still bring something.";
    return behind.length === 1
      ? `${first.host} ${first.connected === false ? "is not connected, and has said nothing for" : "is behind by"} ${duration(worst)}: more may come.`
      : `${plural(behind.length, "agent")} are behind, the last of them by ${duration(worst)}: more may come.`;
  }
  if (state === "gapped") return `${plural(gaps.length, "range")} of bytes ${gaps.length === 1 ? "was" : "were"} lost before ${gaps.length === 1 ? "it" : "they"} could be shipped.`;
  if (state === "expired") return removed_before ? `What was received before ${full(removed_before)} has been removed.` : "Retention has removed a part of it.";
  return "";
}
