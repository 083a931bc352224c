// Transactions by when they began and how long they took; each dot is one, and a click opens it.
import { html } from "../lib/html.js";
import { navigate } from "../lib/router.js";
import { preference } from "../lib/preferences.js";
import { count, duration } from "../lib/format.js";
import { full, parse } from "../lib/time.js";
import { brushByTouch, Chart, colour } from "./chart.js";

/** A dot this near to the pointer is meant. */
const NEAR = 14;

/** @param {{briefs: import("../types.js").Brief[], summary: import("../types.js").TransactionsAnswer["summary"], onRange: (from: number, to: number) => void}} props */
export function Scatter({ briefs, summary, onRange }) {
  const sorted = [...briefs].sort((left, right) => parse(left.time_min).ms - parse(right.time_min).ms);
  /** @param {any} uPlot */
  const build = (uPlot) => {
    // One axis for dots and lines: the times of both, merged, with nothing where the other has a point.
    const lines = summary?.by_time ?? [];
    const half = (summary?.interval_ns ?? 0) / 2e9;
    const points = [
      ...sorted.map((brief) => ({ at: parse(brief.time_min).ms / 1000, brief, p50: null, p95: null })),
      ...lines.filter((bin) => bin.transactions > 0).map((bin) => ({ at: parse(bin.time).ms / 1000 + half, brief: null, p50: bin.p50_ns || null, p95: bin.p95_ns || null })),
    ].sort((left, right) => left.at - right.at);
    // What took no time that a log could tell stands on the floor of a logarithmic axis: one decade below what did take some.
    const took = sorted.map((brief) => brief.duration_ns).filter((ns) => ns > 0);
    const least = 10 ** (Math.floor(Math.log10(Math.max(1000, Math.min(...(took.length > 0 ? took : [1e6]))))) - (took.length < sorted.length ? 1 : 0));
    const y = (/** @type {number} */ ns) => Math.max(least, ns);
    const times = points.map((point) => point.at);
    const good = points.map(({ brief }) => (brief && brief.errors === 0 ? y(brief.duration_ns) : null));
    const bad = points.map(({ brief }) => (brief && brief.errors > 0 ? y(brief.duration_ns) : null));
    const family = getComputedStyle(document.body).fontFamily;
    const axis = { stroke: colour("ink-3"), font: `11px ${family}`, grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false } };
    const dots = (/** @type {string} */ fill, /** @type {number} */ size) => ({ paths: () => null, points: { show: true, size, fill, stroke: colour("surface"), width: 1 } });
    const line = (/** @type {string} */ stroke, /** @type {number[]} */ dash) => ({ stroke, width: 1.5, dash, spanGaps: true, points: { show: false } });
    /** @param {any} plot @returns {import("../types.js").Brief | null} */
    const nearest = (plot) => {
      const { left, top } = plot.cursor;
      if (left == null || left < 0) return null;
      let best = null;
      let least = NEAR;
      for (const { at, brief } of points) {
        if (!brief) continue;
        const away = Math.hypot(plot.valToPos(at, "x") - left, plot.valToPos(y(brief.duration_ns), "y") - top);
        if (away < least) [best, least] = [brief, away];
      }
      return best;
    };
    return {
      data: [times, lines.length > 1 ? points.map((point) => point.p50) : times.map(() => null), lines.length > 1 ? points.map((point) => point.p95) : times.map(() => null), good, bad],
      options: {
        legend: { show: false }, padding: [8, 8, 0, 0],
        tzDate: (/** @type {number} */ seconds) => (preference("zone") === "local" ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
        cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
        scales: { x: { time: true }, y: { distr: 3, log: 10 } },
        axes: [
          { ...axis, size: 26, values: [[86400, "{YYYY}-{MM}-{DD}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"], [0.001, "{HH}:{mm}:{ss}.{fff}"]].map(([step, form]) => [step, form, null, null, null, null, null, null, 1]) },
          { ...axis, size: 62, grid: { ...axis.grid, filter: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map((value) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? value : null)) }, values: (/** @type {any} */ _plot, /** @type {(number | null)[]} */ splits) => splits.map((value) => (value != null && Math.abs(Math.log10(value) % 1) < 1e-9 ? duration(value) : "")) },
        ],
        series: [{}, line(colour("ink-3"), []), line(colour("ink-3"), [3, 4]), dots(colour("lane"), 7), dots(colour("error-mark"), 8)],
        hooks: {
          init: [(/** @type {any} */ plot) => {
            const tip = document.createElement("div");
            tip.className = "tip";
            tip.hidden = true;
            plot.over.append(tip);
            plot.tip = tip;
            brushByTouch(plot);
            plot.over.addEventListener("click", () => {
              const found = nearest(plot);
              if (found) navigate(`/t/${encodeURIComponent(found.id)}`);
            });
          }],
          setCursor: [(/** @type {any} */ plot) => {
            const found = nearest(plot);
            plot.tip.hidden = !found;
            plot.over.style.cursor = found ? "pointer" : "crosshair";
            if (!found) return;
            plot.tip.textContent = `${full(found.time_min)} · ${duration(found.duration_ns)} · ${found.entry_service ?? ""}${found.errors > 0 ? ` · ${count(found.errors)} ${found.errors === 1 ? "error" : "errors"}` : ""}`;
            const right = plot.cursor.left > plot.over.clientWidth / 2;
            plot.tip.style.left = right ? "" : `${plot.cursor.left + 12}px`;
            plot.tip.style.right = right ? `${plot.over.clientWidth - plot.cursor.left + 12}px` : "";
            plot.tip.style.top = `${Math.max(0, plot.cursor.top - 34)}px`;
          }],
          setSelect: [(/** @type {any} */ plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            onRange(plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000);
          }],
        },
      },
    };
  };
  return html`<${Chart} build=${build} depends=${[briefs, summary, preference("zone")]} height=${250} label=${`How long ${count(briefs.length)} transactions took, over time; the list below has the same in words`} />`;
}
