// Who calls whom: services from left to right, each as far to the right as the longest way to it; what is only guessed is dashed.
import { html, classes } from "../lib/html.js";
import { useMemo, useState } from "../vendor/hooks.js";
import { count, duration, percent, short } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { tint } from "../lib/tint.js";

const BOX = { width: 168, height: 52 };
const GAP = { x: 96, y: 26 };

/** @typedef {import("../types.js").Edge} Edge */

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
        return html`<path key=${`${edge.from} ${edge.to}`} class=${classes("edge", edge.evidence !== "spans" && "guess", (lit === edge.from || lit === edge.to) && "lit")} d=${way(from, to, edge.from === edge.to)} stroke-width=${(1 + 2.5 * Math.sqrt(edge.support / most)).toFixed(2)} marker-end="url(#arrow)">
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

/** @param {{x: number, y: number}} from @param {{x: number, y: number}} to @param {boolean} self */
function way(from, to, self) {
  const begin = { x: from.x + BOX.width, y: from.y + BOX.height / 2 };
  if (self) return `M${begin.x - 30} ${from.y}c0 -22 26 -22 26 -2`;
  const end = { x: to.x - 2, y: to.y + BOX.height / 2 };
  if (end.x > begin.x) {
    const bend = Math.max(30, (end.x - begin.x) / 2);
    return `M${begin.x} ${begin.y}C${begin.x + bend} ${begin.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
  }
  // Backwards: below both.
  const low = Math.max(from.y, to.y) + BOX.height + 18;
  return `M${from.x + BOX.width / 2} ${from.y + BOX.height}C${from.x + BOX.width / 2} ${low} ${to.x + BOX.width / 2} ${low} ${to.x + BOX.width / 2} ${to.y + BOX.height + 3}`;
}

/** @param {import("../types.js").GraphAnswer} graph */
function laidOut(graph) {
  const column = new Map(graph.services.map((name) => [name, 0]));
  const forward = withoutCircles(graph);
  // The longest way to each: as many rounds as there are services settle it.
  for (let round = 0; round < graph.services.length; round += 1) {
    let changed = false;
    for (const edge of forward) {
      const wanted = (column.get(edge.from) ?? 0) + 1;
      if (wanted > (column.get(edge.to) ?? 0)) {
        column.set(edge.to, wanted);
        changed = true;
      }
    }
    if (!changed) break;
  }
  // When nobody is known to call anybody, they stand side by side.
  if (forward.length === 0) graph.services.forEach((name, number) => column.set(name, number % 4));
  /** @type {string[][]} */
  const columns = [];
  for (const name of graph.services) (columns[column.get(name) ?? 0] ??= []).push(name);
  /** @type {Map<string, {x: number, y: number}>} */
  const places = new Map();
  const rows = Math.max(1, ...columns.map((names) => names?.length ?? 0));
  const height = rows * (BOX.height + GAP.y) + GAP.y;
  columns.forEach((names, number) => {
    // Beside what calls it: by the middle of those that stand to the left.
    const middle = (/** @type {string} */ name) => {
      const callers = forward.filter((edge) => edge.to === name).map((edge) => places.get(edge.from)?.y ?? height / 2);
      return callers.length === 0 ? height / 2 : callers.reduce((sum, y) => sum + y, 0) / callers.length;
    };
    const sorted = [...names].sort((left, right) => middle(left) - middle(right));
    const begin = (height - sorted.length * (BOX.height + GAP.y) + GAP.y) / 2;
    sorted.forEach((name, row) => places.set(name, { x: 12 + number * (BOX.width + GAP.x), y: begin + row * (BOX.height + GAP.y) }));
  });
  return { places, width: 24 + columns.length * (BOX.width + GAP.x) - GAP.x, height: height + 16 };
}

/**
 * Without the weakest edge of every circle.
 * @param {import("../types.js").GraphAnswer} graph
 */
function withoutCircles(graph) {
  /** @type {Edge[]} */
  const kept = [];
  const reaches = (/** @type {string} */ from, /** @type {string} */ to) => {
    const seen = new Set([from]);
    const queue = [from];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (next === to) return true;
      for (const edge of kept) {
        if (edge.from !== next || seen.has(edge.to)) continue;
        seen.add(edge.to);
        queue.push(edge.to);
      }
    }
    return false;
  };
  for (const edge of [...graph.edges].sort((left, right) => right.support - left.support)) {
    if (edge.from !== edge.to && !reaches(edge.to, edge.from)) kept.push(edge);
  }
  return kept;
}
