// Who calls whom: services from left to right, each as far to the right as the longest way to it; what is only guessed is dashed.
import { html, classes } from "../lib/html.js";
import { useMemo, useState } from "../vendor/hooks.js";
import { count, duration, percent, short } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { BOX, laidOut } from "../lib/graph-layout.js";
import { tint } from "../lib/tint.js";

/** @param {{graph: import("../types.js").GraphAnswer, services: import("../types.js").Service[]}} props */
export function Graph({ graph, services }) {
  const [lit, setLit] = useState("");
  const layout = useMemo(() => laidOut(graph), [graph]);
  const about = new Map(services.map((service) => [service.service, service]));
  const most = Math.max(1, ...graph.edges.map((edge) => edge.support));
  /** @param {string} name */
  const place = (name) => layout.places.get(name) ?? { x: 0, y: 0 };
  return html`<div class="graph scroll-x" tabindex="0" role="group" aria-label="Graph of services">
    <svg viewBox=${`0 0 ${layout.width} ${layout.height}`} style=${{ minWidth: `${Math.min(layout.width, 760)}px`, maxWidth: `${layout.width * 1.15}px`, margin: "0 auto" }} role="group" aria-label="Services and their calls">
      <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="arrow-head" d="M0 .8 7.5 4 0 7.2Z" /></marker></defs>
      ${graph.edges.map((edge) => {
        const from = place(edge.from);
        const to = place(edge.to);
        return html`<path key=${`${edge.from} ${edge.to}`} class=${classes("edge", edge.evidence !== "spans" && "guess", (lit === edge.from || lit === edge.to) && "lit")} d=${way(from, to, layout.passes.get(edge) ?? [], edge.from === edge.to)} stroke-width=${(1 + 2.5 * Math.sqrt(edge.support / most)).toFixed(2)} marker-end="url(#arrow)">
          <title>${edge.from} → ${edge.to}: ${count(edge.support)} times, ${edge.evidence === "spans" ? "as spans say" : `as one comes before the other${edge.against ? `, ${count(edge.against)} times the other way` : ""}`}</title></path>`;
      })}
      ${graph.services.map((name) => {
        const { x, y } = place(name);
        const service = about.get(name);
        const failing = service && service.errors > 0;
        return html`<a key=${name} href=${`/transactions?service=${encodeURIComponent(name)}`} class=${classes(failing && "failing", lit === name && "lit")}
          onMouseEnter=${() => setLit(name)} onMouseLeave=${() => setLit("")} onFocus=${() => setLit(name)} onBlur=${() => setLit("")}>
          <rect class="box" x=${x} y=${y} width=${BOX.width} height=${BOX.height} rx="9" />
          <rect x=${x + 10} y=${y + 12} width="4" height=${BOX.height - 24} rx="2" style=${{ fill: tint(name) }} />
          <text x=${x + 23} y=${y + 22}>${visible(name.length > 18 ? `${name.slice(0, 17)}…` : name)}</text>
          <text class=${classes("sub", failing && "bad")} x=${x + 23} y=${y + 39}>${service ? `${service.records_per_s == null ? count(service.records) : `${short(service.records_per_s)}/s`}${failing ? ` · ${percent(service.errors / Math.max(1, service.records))} errors` : service.p95_ns ? ` · p95 ${duration(service.p95_ns)}` : ""}` : ""}</text>
        </a>`;
      })}
    </svg>
  </div>`;
}

/**
 * @param {import("../lib/graph-layout.js").Place} from
 * @param {import("../lib/graph-layout.js").Place} to
 * @param {import("../lib/graph-layout.js").Place[]} passes
 * @param {boolean} self
 */
function way(from, to, passes, self) {
  const begin = { x: from.x + BOX.width, y: from.y + BOX.height / 2 };
  if (self) return `M${begin.x - 30} ${from.y}c0 -22 26 -22 26 -2`;
  const end = { x: to.x - 2, y: to.y + BOX.height / 2 };
  if (end.x > begin.x) {
    let path = `M${begin.x} ${begin.y}`;
    let at = begin;
    for (const next of [...passes, end]) {
      const bend = Math.max(30, (next.x - at.x) / 2);
      path += `C${at.x + bend} ${at.y} ${next.x - bend} ${next.y} ${next.x} ${next.y}`;
      at = { x: next.x + BOX.width, y: next.y };
      if (next !== end) path += `L${at.x} ${at.y}`;
    }
    return path;
  }
  // Backwards: below both.
  const low = Math.max(from.y, to.y) + BOX.height + 18;
  return `M${from.x + BOX.width / 2} ${from.y + BOX.height}C${from.x + BOX.width / 2} ${low} ${to.x + BOX.width / 2} ${low} ${to.x + BOX.width / 2} ${to.y + BOX.height + 3}`;
}
