// A transaction beside those that began alike: what is there or missing or slow here, and is not elsewhere.
import { html, classes } from "../lib/html.js";
import { ask, transactionPath } from "../lib/api.js";
import { count, duration, plural } from "../lib/format.js";
import { inRow, visible } from "../lib/text.js";
import { full } from "../lib/time.js";
import { useAnswer } from "../lib/use.js";
import { Briefs } from "./briefs.js";
import { Cut, Empty, Failed, Loading, upper } from "./states.js";
import * as icons from "./icons.js";

const KINDS = /** @type {Record<string, [string, string]>} */ ({
  missing_service: ["Service missing", "error"], new_service: ["Other service", "warn"], missing_template: ["Line missing", "warn"], new_template: ["New line", "warn"],
  slow: ["Slow", "error"], slow_silence: ["Slow", "error"], more_errors: ["More errors", "error"], more_records: ["More records", "warn"],
});

/** @param {{id: string, onClose: () => void}} props */
export function Comparison({ id, onClose }) {
  const answer = useAnswer(id, (signal) => /** @type {Promise<import("../types.js").Comparison>} */ (ask(`${transactionPath(id)}/compare`, {}, signal)));
  const { value } = answer;
  return html`<section class="card" aria-label="Comparison">
    <header><h2>Compared with similar ones</h2>
      <span class="small dim grow clip">${value && value.compared > 0 ? html`${plural(value.compared, "transaction")} that began at ${visible(value.entry_service ?? "the same service")}${value.from && value.to ? html`, ${full(value.from)} to ${full(value.to)}` : ""}` : ""}</span>
      <button type="button" class="button quiet icon small" aria-label="Close the comparison" onClick=${onClose}><${icons.Close} /></button></header>
    ${value && value.compared > 0 && (value.meta?.warnings?.length ?? 0) > 0 && html`<div style=${{ padding: "10px 14px" }}><${Cut} meta=${value.meta} /></div>`}
    ${answer.problem
      ? html`<${Failed} compact problem=${answer.problem} again=${answer.again} />`
      : !value
        ? html`<${Loading} rows=${3} what="Comparing" />`
        : value.compared === 0
          ? html`<${Empty} compact title="There is nothing to compare it with"><p>No other transaction that began at the same service was found.</p></${Empty}>`
          : html`<div class="grid-2" style=${{ gap: 0 }}>
            <div>${value.findings.length === 0
              ? html`<${Empty} compact title="It looks like the others"><p>Same services, same lines, nothing slower than usual.</p></${Empty}>`
              : html`<ul>${value.findings.map((finding) => html`<li class="row" style=${{ padding: "8px 14px", borderBottom: "1px solid var(--rule)", alignItems: "flex-start" }}>
                  <span class=${classes("dot", KINDS[finding.kind]?.[1])} style=${{ marginTop: "6px" }}></span>
                  <div class="grow"><p><strong>${KINDS[finding.kind]?.[0] ?? upper(finding.kind.replaceAll("_", " "))}:</strong> ${visible(finding.text)}</p>
                    ${finding.template && html`<p class="mono clip dim" title=${inRow(finding.template, 600)}>${visible(inRow(finding.template, 300))}</p>`}
                    <p class="small faint">${numbers(finding)}</p></div></li>`)}</ul>`}</div>
            <div style=${{ borderLeft: "1px solid var(--rule)" }}><h3 style=${{ padding: "9px 14px 4px" }}>The others</h3><${Briefs} briefs=${(value.others ?? []).slice(0, 5).map((other) => ({ entry_service: value.entry_service, ...other }))} /></div>
          </div>`}
  </section>`;
}

/** @param {import("../types.js").Finding} finding */
function numbers({ kind, here, p50, p95, seen_in: seen, of }) {
  const say = kind.startsWith("slow") ? duration : count;
  const parts = [];
  if (here != null) parts.push(`here ${say(here)}`);
  if (p50 != null) parts.push(`usually ${say(p50)}`);
  if (p95 != null) parts.push(`95 % below ${say(p95)}`);
  if (seen != null && of != null) parts.push(`seen in ${count(seen)} of ${count(of)}`);
  return parts.join(" · ");
}
