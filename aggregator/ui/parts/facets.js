// The commonest values of fields: a click adds one to the query, or takes it out again.
import { html, classes } from "../lib/html.js";
import { useState } from "../vendor/hooks.js";
import { count, short } from "../lib/format.js";
import { has, term } from "../lib/query.js";
import { inRow, visible } from "../lib/text.js";
import { Failed, Loading } from "./states.js";

const SHOWN = 6;

/** @param {{answer: import("../lib/use.js").Answer<import("../types.js").FacetsAnswer>, q: string, onTerm: (term: string) => void, shown: boolean}} props */
export function Facets({ answer, q, onTerm, shown }) {
  const { value, problem } = answer;
  return html`<aside class=${classes("facets", shown && "shown")} aria-label="Facets" tabindex="0">
    ${problem && !value ? html`<${Failed} compact problem=${problem} again=${answer.again} />` : !value ? html`<${Loading} rows=${9} what="Counting values" />` : telling(value.facets).map((facet) => html`<${One} key=${facet.field} facet=${facet} total=${value.records} q=${q} onTerm=${onTerm} />`)}
    ${value?.meta.partial && html`<p class="small is-warn" style=${{ padding: "0 8px" }}>Counted in a part: the time was up.</p>`}
  </aside>`;
}

/** Those that have values; of which nearly every record has another one come last. @param {import("../types.js").Facet[]} facets */
const telling = (facets) => facets.filter((facet) => facet.values.length > 0).sort((left, right) => Number(left.distinct > 50 && left.distinct > left.records / 10) - Number(right.distinct > 50 && right.distinct > right.records / 10));

/** @param {{facet: import("../types.js").Facet, total: number, q: string, onTerm: (term: string) => void}} props */
function One({ facet, total, q, onTerm }) {
  const [all, setAll] = useState(false);
  const values = all ? facet.values : facet.values.slice(0, SHOWN);
  return html`<section class="facet">
    <h3 title=${`${count(facet.records)} of ${count(total)} records have it`}><span class="clip">${visible(facet.field)}</span><small>${facet.exact ? "" : "≥ "}${short(facet.distinct)}</small></h3>
    ${values.map(({ value, records }) => {
      const text = term(facet.field, value, { number: /^\d+(\.\d+)?$/.test(value) });
      const pressed = has(q, text);
      return html`<button type="button" key=${value} class="value" aria-pressed=${pressed} disabled=${value.length > 250} title=${`${inRow(value, 300)}\nAlt and click, or the key −: all but these`} aria-keyshortcuts="-" onClick=${(/** @type {MouseEvent} */ event) => onTerm(event.altKey ? `-${text}` : text)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "-") return;
          event.preventDefault();
          onTerm(`-${text}`);
        }}>
        <span class="clip">${value === "" ? html`<em class="faint">empty</em>` : visible(inRow(value, 80))}</span><span class="n">${short(records)}</span>
        <span class="bar-fill" style=${{ width: `${(100 * records) / Math.max(1, facet.records)}%` }}></span>
      </button>`;
    })}
    ${facet.values.length > SHOWN && html`<button type="button" class="link small" style=${{ padding: "2px 8px" }} onClick=${() => setAll(!all)}>${all ? "fewer" : `${facet.values.length - SHOWN} more`}</button>`}
  </section>`;
}
