// How many records when, by level; what is marked with the pointer, a finger or the arrow keys becomes the time that is looked at.
import { html } from "../lib/html.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { count, duration, short } from "../lib/format.js";
import { clock, clockSeconds, day, full, parse } from "../lib/time.js";
import { preference } from "../lib/preferences.js";
import { brushByTouch, Chart, colour } from "./chart.js";

/** From the bottom to the top of a bar: what is bad stands at the bottom, where heights can be compared. */
const GROUPS = /** @type {const} */ ([["error", "error-mark", ["fatal", "error"]], ["warn", "warn-mark", ["warn"]], ["info", "lane", ["notice", "info"]], ["other", "quiet", ["debug", "trace", "unknown", "(none)", "(others)"]]]);

/**
 * @param {{answer: import("../types.js").HistogramAnswer, onRange: (from: number, to: number) => void}} props milliseconds since 1970
 */
export function Histogram({ answer, onRange }) {
  const step = answer.interval_ns / 1e6;
  const from = Math.floor(parse(answer.from).ms / step) * step;
  const to = Math.max(parse(answer.to).ms, from + step);
  const cells = Math.min(10_000, Math.max(1, Math.ceil((to - from) / step)));
  const drawn = useRef(/** @type {any} */ (null));
  /** Buckets that were marked by keys: where the mark began, and where it is. */
  const [mark, setMark] = useState(/** @type {{anchor: number, at: number} | null} */ (null));
  useEffect(() => setMark(null), [answer]);
  useEffect(() => {
    const plot = drawn.current;
    if (!plot) return;
    const x = (/** @type {number} */ cell) => plot.valToPos((from + cell * step) / 1000, "x");
    const left = mark ? x(Math.min(mark.anchor, mark.at)) : 0;
    plot.setSelect({ left, width: mark ? x(Math.max(mark.anchor, mark.at) + 1) - left : 0, top: 0, height: mark ? plot.over.clientHeight : 0 }, false);
    plot.setCursor(mark ? { left: x(mark.at + 0.5), top: 8 } : { left: -10, top: -10 });
  }, [mark]);
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -cells, End: cells })[event.key];
    if (move !== undefined) {
      const at = Math.max(0, Math.min(cells - 1, mark ? mark.at + move : move > 0 ? 0 : cells - 1));
      setMark({ anchor: event.shiftKey && mark ? mark.anchor : at, at });
    } else if (event.key === "Enter" && mark) onRange(from + Math.min(mark.anchor, mark.at) * step, from + (Math.max(mark.anchor, mark.at) + 1) * step);
    else if (event.key === "Escape" && mark) setMark(null);
    else return;
    event.preventDefault();
  };
  /** @param {{width: number, height: number}} _size @param {any} uPlot */
  const build = (uPlot, _size) => {
    const times = Array.from({ length: cells }, (_, cell) => (from + cell * step) / 1000);
    const counts = GROUPS.map(() => new Array(cells).fill(0));
    for (const bucket of answer.buckets) {
      const cell = Math.round((parse(bucket.time).ms - from) / step);
      if (cell < 0 || cell >= cells) continue;
      for (const [level, records] of Object.entries(bucket.by)) {
        const group = GROUPS.findIndex(([, , levels]) => /** @type {readonly string[]} */ (levels).includes(level));
        counts[group < 0 ? GROUPS.length - 1 : group][cell] += records;
      }
    }
    // Bars that stand on each other: each is drawn as the sum up to it, the highest first.
    const sums = counts.map((_, group) => times.map((_, cell) => counts.slice(0, group + 1).reduce((sum, values) => sum + values[cell], 0)));
    const order = GROUPS.map((_, group) => GROUPS.length - 1 - group);
    const axis = { stroke: colour("ink-3"), font: "11px " + getComputedStyle(document.body).fontFamily, grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false } };
    return {
      data: [times, ...order.map((group) => sums[group])],
      options: {
        legend: { show: false }, padding: [6, 26, 0, 0],
        tzDate: (/** @type {number} */ seconds) => (preference("zone") === "local" ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
        cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
        select: { show: true },
        scales: { x: { time: true, range: () => [from / 1000, (from + cells * step) / 1000] }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _min, /** @type {number} */ max) => [0, Math.max(1, max * 1.08)] } },
        axes: [
          { ...axis, size: 34, space: 90, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map((seconds, index) => label(seconds * 1000, index === 0 ? null : splits[index - 1] * 1000, splits.length > 1 ? (splits[1] - splits[0]) * 1000 : step)) },
          { ...axis, size: 44, space: 28, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map((value) => (Number.isInteger(value) ? short(value) : "")) },
        ],
        series: [{}, ...order.map((group) => ({
          fill: colour(GROUPS[group][1]), width: 0, points: { show: false },
          paths: uPlot.paths.bars({ size: [0.86, 40], align: 1, gap: 0.5 }),
        }))],
        hooks: {
          setSelect: [(/** @type {any} */ plot) => {
            const { left, width } = plot.select;
            if (width < 3) return;
            const begin = plot.posToVal(left, "x") * 1000;
            const end = plot.posToVal(left + width, "x") * 1000;
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            // To whole buckets: a bar is in or out.
            onRange(Math.floor(begin / step) * step, Math.ceil(end / step) * step);
          }],
          init: [(/** @type {any} */ plot) => {
            const tip = document.createElement("div");
            tip.className = "tip";
            tip.hidden = true;
            plot.over.append(tip);
            plot.tip = tip;
            drawn.current = plot;
            brushByTouch(plot);
          }],
          setCursor: [(/** @type {any} */ plot) => {
            const { left } = plot.cursor;
            const cell = left == null || left < 0 ? -1 : Math.floor((plot.posToVal(left, "x") * 1000 - from) / step);
            const all = cell >= 0 && cell < cells ? sums[GROUPS.length - 1][cell] : 0;
            plot.tip.hidden = cell < 0 || cell >= cells;
            if (plot.tip.hidden) return;
            const parts = GROUPS.map(([name], group) => [name, counts[group][cell]]).filter(([, records]) => Number(records) > 0);
            plot.tip.textContent = `${full(from + cell * step)} · ${count(all)}${parts.length > 1 ? ` · ${parts.map(([name, records]) => `${count(Number(records))} ${name}`).join(", ")}` : parts.length === 1 ? ` ${parts[0][0]}` : ""}`;
            const right = left > plot.over.clientWidth / 2;
            plot.tip.style.left = right ? "" : `${left + 12}px`;
            plot.tip.style.right = right ? `${plot.over.clientWidth - left + 12}px` : "";
            plot.tip.style.top = "4px";
          }],
        },
      },
    };
  };
  const words = `${count(answer.records)} records from ${full(answer.from)} to ${full(answer.to)}, in bars of ${duration(answer.interval_ns)}`;
  const marked = mark && answer.buckets.filter((bucket) => {
    const cell = Math.round((parse(bucket.time).ms - from) / step);
    return cell >= Math.min(mark.anchor, mark.at) && cell <= Math.max(mark.anchor, mark.at);
  });
  return html`<div class="brushed" tabindex="0" role="group" aria-roledescription="histogram" aria-label="Arrow keys mark a bar, with Shift several, Enter looks into them" onKeyDown=${keys} onBlur=${() => setMark(null)}>
    <${Chart} build=${build} depends=${[answer, preference("zone")]} height=${118} label=${words} />
    <span class="visually-hidden" role="status">${mark && marked ? `${full(from + Math.min(mark.anchor, mark.at) * step)} to ${full(from + (Math.max(mark.anchor, mark.at) + 1) * step)}: ${count(marked.reduce((sum, bucket) => sum + bucket.records, 0))} records` : ""}</span>
  </div>`;
}

export const HISTOGRAM_LEGEND = GROUPS.map(([name, token]) => ({ name, token }));

/** @param {number} ms @param {number | null} before @param {number} step */
function label(ms, before, step) {
  if (step >= 864e5) return day(ms);
  const time = step < 1000 ? clock(ms) : step < 6e4 ? clockSeconds(ms) : clockSeconds(ms).slice(0, 5);
  return before === null || day(before) !== day(ms) ? `${time}\n${day(ms)}` : time;
}
