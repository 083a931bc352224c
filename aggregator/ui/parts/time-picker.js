// From when to when: a few usual choices, or any time that the API takes.
import { html } from "../lib/html.js";
import { useState } from "../vendor/hooks.js";
import { duration } from "../lib/format.js";
import { full, resolve, zone } from "../lib/time.js";
import { Menu } from "./menu.js";
import * as icons from "./icons.js";

const USUAL = /** @type {const} */ ([["-5m", "Last 5 minutes"], ["-15m", "Last 15 minutes"], ["-1h", "Last hour"], ["-4h", "Last 4 hours"], ["-24h", "Last 24 hours"], ["-7d", "Last 7 days"], ["-30d", "Last 30 days"], ["all", "All there is"]]);

/** @param {string} from @param {string} to */
export function rangeWords(from, to) {
  const usual = USUAL.find(([value]) => value === from);
  if (usual && to === "") return usual[1];
  const begin = resolve(from);
  const end = to === "" ? null : resolve(to);
  if (begin === null) return from === "all" ? `until ${to}` : `${from} – ${to || "now"}`;
  if (/^(now)?-/.test(from) && to === "") return `Last ${from.replace(/^(now)?-/, "")}`;
  const first = full(begin).replace(/\.000$/, "");
  if (end === null) return `${first} – now`;
  const last = full(end).replace(/\.000$/, "");
  return `${first} – ${last.slice(0, 10) === first.slice(0, 10) ? last.slice(11) : last}`;
}

/** @param {{from: string, to: string, onRange: (from: string, to: string) => void}} props */
export function TimePicker({ from, to, onRange }) {
  return html`<${Menu} label=${html`<${icons.Clock} /><span class="clip">${rangeWords(from, to)}</span>`} title="From when to when">${(/** @type {() => void} */ close) => html`<${Choices} ...${{ from, to, onRange, close }} />`}</${Menu}>`;
}

/** @param {{from: string, to: string, onRange: (from: string, to: string) => void, close: () => void}} props */
function Choices({ from, to, onRange, close }) {
  const [begin, setBegin] = useState(absolute(from));
  const [end, setEnd] = useState(absolute(to));
  const first = begin.trim() === "" ? null : resolve(begin);
  const last = end.trim() === "" ? Date.now() : resolve(end);
  const wrong = (begin.trim() !== "" && first === null) || last === null ? "not a time: 2026-11-25 10:15, -2h or now" : first !== null && last !== null && last <= first ? "it ends before it begins" : "";
  return html`<div>
    ${USUAL.map(([value, name]) => html`<button type="button" key=${value} class="item" aria-pressed=${value === from && to === ""} onClick=${() => {
      onRange(value, "");
      close();
    }}>${name}</button>`)}
    <form class="stack" style=${{ padding: "10px 10px 6px", borderTop: "1px solid var(--rule)", marginTop: "6px", width: "260px" }} onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (wrong) return;
      onRange(begin.trim() === "" ? "all" : stored(begin), stored(end));
      close();
    }}>
      <label class="stack" style=${{ gap: "3px" }}><span class="small dim">From (UTC, or with a zone)</span><input class="input mono" value=${begin} placeholder="2026-11-25 10:15:00, -2h" onInput=${(/** @type {any} */ event) => setBegin(event.currentTarget.value)} /></label>
      <label class="stack" style=${{ gap: "3px" }}><span class="small dim">Until</span><input class="input mono" value=${end} placeholder="now" onInput=${(/** @type {any} */ event) => setEnd(event.currentTarget.value)} /></label>
      <p class="small" role="status">${wrong ? html`<span class="is-error">${wrong}</span>` : html`<span class="faint">${first !== null && last !== null ? duration((last - first) * 1e6) : ""} ${zone() === "UTC" ? "" : "times are shown in your zone"}</span>`}</p>
      <button class="button primary" type="submit" disabled=${wrong !== ""}>Apply</button>
    </form>
  </div>`;
}

/** @param {string} text as it stands in the address */
const absolute = (text) => (text === "all" ? "" : text.replace("T", " ").replace(/\.000Z$|Z$/, ""));

/** @param {string} text */
const stored = (text) => text.trim().replace(/^(\d{4}-\d\d-\d\d) (\d)/, "$1T$2");
