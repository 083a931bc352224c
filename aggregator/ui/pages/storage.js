// Storage: what is kept, day by day, and whether everything works.
import { html, classes } from "../lib/html.js";
import { ask } from "../lib/api.js";
import { bytes, count } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { useAnswer, useTitle } from "../lib/use.js";
import { Empty, Failed, Loading, Stale } from "../parts/states.js";

export function StoragePage() {
  useTitle("Storage");
  const answer = useAnswer("storage", (signal) => /** @type {Promise<import("../types.js").StorageAnswer>} */ (ask("/api/v1/status/storage", {}, signal)), { every: 5_000 });
  const ready = useAnswer("ready", async (signal) => {
    const response = await fetch("/readyz", { signal });
    return /** @type {Promise<import("../types.js").ReadyAnswer>} */ (response.json());
  }, { every: 5_000 });
  const { value } = answer;
  if (answer.problem && !value) return html`<div class="card"><h1 class="visually-hidden">Storage</h1><${Failed} problem=${answer.problem} again=${answer.again} /></div>`;
  if (!value) return html`<div class="card"><${Loading} rows=${6} what="Loading" /></div>`;
  const most = Math.max(1, ...value.partitions.map((partition) => partition.bytes));
  const troubles = (ready.value?.checks ?? []).filter((check) => !check.ok);
  return html`<div class="stack" style=${{ gap: "14px" }}>
    <div class="page-head" style=${{ marginBottom: 0 }}><h1>Storage</h1>${!answer.problem && html`<p class="row"><span class=${classes("dot", value.healthy ? "good" : "error")}></span>${value.healthy ? "everything works" : html`<span class="is-error">something does not work</span>`}</p>`}</div>
    <${Stale} answer=${answer} />
    ${!answer.problem && troubles.length > 0 && html`<div class="note error" role="alert"><div>${troubles.map(({ name, detail }) => html`<p><strong>${name}</strong>: ${visible(detail)}</p>`)}</div></div>`}
    <dl class="tiles">
      <div><dt>Records</dt><dd>${count(value.records)}</dd></div>
      <div><dt>On disk</dt><dd>${bytes(value.disk_bytes)}</dd></div>
      <div><dt>Bytes on disk a record</dt><dd>${value.records > 0 ? bytes(Math.round(value.disk_bytes / value.records)) : "–"}</dd></div>
      <div><dt>Days</dt><dd>${count(value.partitions.length)}</dd></div>
      <div><dt>Not yet committed</dt><dd>${count(value.head.records)} <small>${bytes(value.head.raw_bytes)}</small></dd></div>
      <div><dt>Write-ahead log</dt><dd>${bytes(value.wal_bytes)}</dd></div>
    </dl>
    ${value.set_aside.length > 0 && html`<div class="note error" role="alert"><div><p><strong>Set aside, because they could not be read:</strong></p>${value.set_aside.map((aside) => html`<p><code>${visible(aside.path)}</code> ${bytes(aside.bytes)}</p>`)}<p class="small"><code>clew-aggregator verify</code> says what is damaged.</p></div></div>`}
    <section class="card" aria-label="Partitions"><header><h2>Days of receipt</h2></header>
      ${value.partitions.length === 0 ? html`<${Empty} compact title="Nothing is committed yet"><p>What came in is durable in the write-ahead log, and found all the same.</p></${Empty}>` : html`<div class="scroll-x" tabindex="0" role="group" aria-label="Table of partitions"><table class="table">
        <thead><tr><th>Day (UTC)</th><th class="number">Records</th><th class="number">Documents</th><th class="number">Segments</th><th>On disk</th><th class="number"></th></tr></thead>
        <tbody>${[...value.partitions].reverse().map((partition) => html`<tr key=${partition.day}><td>${partition.day}</td><td class="number">${count(partition.records)}</td><td class="number">${count(partition.documents)}</td><td class="number">${count(partition.segments)}</td>
          <td style=${{ width: "32%" }}><span class="meter" aria-hidden="true"><span style=${{ width: `${(100 * partition.bytes) / most}%` }}></span></span></td><td class="number">${bytes(partition.bytes)}</td></tr>`)}</tbody></table></div>`}
    </section>
  </div>`;
}
