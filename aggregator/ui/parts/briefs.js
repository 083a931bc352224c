// Transactions in short, each a link to its page.
import { html } from "../lib/html.js";
import { ago, count, duration } from "../lib/format.js";
import { bounded, visible } from "../lib/text.js";
import { full, parse } from "../lib/time.js";
import { tint } from "../lib/tint.js";

/** @param {{briefs: import("../types.js").Brief[]}} props */
export const Briefs = ({ briefs }) => html`<ul class="briefs">${briefs.map((brief) => html`<li key=${brief.id}><a href=${`/t/${encodeURIComponent(brief.id)}`}>
  <span class="when" title=${full(brief.time_min)}>${ago(parse(brief.time_min).ms)}</span>
  <span class="what"><span class="row" style=${{ gap: "6px" }}><span class="swatch" style=${{ "--tint": tint(brief.entry_service ?? "") }}></span><span class="clip">${visible(brief.entry_service ?? brief.services?.[0] ?? "unknown service")}${(brief.services?.length ?? 0) > 1 ? html` <span class="faint">+ ${count((brief.services?.length ?? 1) - 1)}</span>` : ""}</span></span>
    <span class="id mono clip" style=${{ display: "block" }}>${visible(bounded(brief.id, 64))}</span></span>
  <span class="bad">${brief.errors > 0 ? `${count(brief.errors)} ${brief.errors === 1 ? "error" : "errors"}` : ""}</span>
  <span class="took">${duration(brief.duration_ns)}</span>
</a></li>`)}</ul>`;
