// The lanes of a transaction over time: one lane a service and host, drawn on one canvas. The names beside it are buttons in the
// document, with what the lane holds in words, so that nothing is said by the drawing alone.
import { html, classes } from "../lib/html.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { count, duration, offset } from "../lib/format.js";
import { prefer, preference } from "../lib/preferences.js";
import { between, clock, parse } from "../lib/time.js";
import { resolved, tint } from "../lib/tint.js";
import { useCellValue, useSize } from "../lib/use.js";
import { isError } from "./record-row.js";
import * as icons from "./icons.js";

const LANE = 28;
const AXIS = 26;
const BINS = 200;

/**
 * @typedef {{begin: number, end: number}} Range nanoseconds since the transaction began
 * @param {{
 *   transaction: import("../types.js").Transaction, begin: string, span: number, records: import("../types.js").LogRecord[],
 *   whole: boolean, zoom: Range, onZoom: (zoom: Range | null) => void, sight: {value: Range | null, listeners: Set<() => void>}, selected: import("../types.js").LogRecord | null,
 *   off: Set<string>, onService: (service: string) => void, onPick: (lane: number | null, ns: number) => void,
 *   clocks: boolean, onClocks: () => void,
 * }} props begin: the first corrected time; whole: all records are there; sight: what the list below shows
 */
export function Waterfall({ transaction, begin, span, records, whole, zoom, onZoom, sight, selected, off, onService, onPick, clocks, onClocks }) {
  const lanes = transaction.lanes ?? [];
  const [plot, size] = useSize();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [hover, setHover] = useState(/** @type {{x: number, y: number} | null} */ (null));
  const [brush, setBrush] = useState(/** @type {{from: number, to: number} | null} */ (null));
  const drag = useRef(/** @type {{x: number, y: number, pan: boolean, zoom: Range, moved: boolean} | null} */ (null));
  const height = AXIS + lanes.length * LANE + 6;
  const width = size.width;
  const zoomed = zoom.begin > 0 || zoom.end < span;

  const marks = useMemo(() => marksOf(records, lanes.length, begin), [records, records.length, lanes.length, begin]);
  const times = useMemo(
    () => lanes.map((lane) => ({ begin: between(begin, lane.first), end: between(begin, lane.last) })),
    [transaction, begin],
  );
  const quiet = useMemo(() => silencesOf(transaction, records, begin), [transaction, records, records.length, begin]);

  const short = preference("silences") === "short";
  const scale = useMemo(() => scaleOf(zoom, width, short ? quiet : []), [zoom.begin, zoom.end, width, short, quiet]);

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    const paint = () => draw(element, { lanes, times, marks, quiet, records, begin, span, zoom, scale, width, height, whole, off, selected });
    paint();
    // The canvas does not know of a theme that changes; the document does.
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", paint);
    return () => dark.removeEventListener("change", paint);
  }, [lanes, times, marks, quiet, begin, span, scale, width, height, whole, [...off].join(), selected, preference("theme")]);

  // A wheel with Ctrl zooms, one that goes sideways moves; a listener that may prevent the page's own zoom cannot be passive.
  const latest = useRef(zoom);
  latest.current = zoom;
  const latestScale = useRef(scale);
  latestScale.current = scale;
  useEffect(() => {
    const element = /** @type {HTMLElement | null} */ (plot.current);
    if (!element) return;
    const wheel = (/** @type {WheelEvent} */ event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      if (!event.ctrlKey && !event.metaKey && !sideways) return;
      event.preventDefault();
      const current = latest.current;
      const length = current.end - current.begin;
      const box = element.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoomAt(current, span, latestScale.current.ns(event.clientX - box.left), Math.exp(event.deltaY * 0.004), onZoom);
      else panBy(current, span, ((event.deltaX || event.deltaY) / box.width) * length, onZoom);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [span, onZoom]);

  /** @param {PointerEvent} event */
  const place = (event) => {
    const box = /** @type {HTMLElement} */ (plot.current).getBoundingClientRect();
    return { x: Math.max(0, Math.min(width, event.clientX - box.left)), y: event.clientY - box.top };
  };
  const events = {
    onPointerDown: (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0) return;
      const at = place(event);
      drag.current = { ...at, pan: event.shiftKey && zoomed, zoom, moved: false };
      if (event.pointerType === "mouse") /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
    },
    onPointerMove: (/** @type {PointerEvent} */ event) => {
      const at = place(event);
      const held = drag.current;
      if (!held) {
        setHover(at);
        return;
      }
      if (Math.abs(at.x - held.x) > 4) held.moved = true;
      if (!held.moved) return;
      setHover(null);
      if (held.pan) panTo(held.zoom, span, held.zoom.begin - ((at.x - held.x) / width) * (held.zoom.end - held.zoom.begin), onZoom);
      else setBrush({ from: Math.min(held.x, at.x), to: Math.max(held.x, at.x) });
    },
    onPointerUp: (/** @type {PointerEvent} */ event) => {
      const held = drag.current;
      drag.current = null;
      setBrush(null);
      if (!held) return;
      const at = place(event);
      if (held.moved && !held.pan) onZoom(clamped({ begin: scale.ns(Math.min(held.x, at.x)), end: scale.ns(Math.max(held.x, at.x)) }, span));
      else if (!held.moved) {
        const lane = Math.floor((at.y - AXIS) / LANE);
        onPick(lane >= 0 && lane < lanes.length ? lane : null, scale.ns(at.x));
      }
    },
    onPointerCancel: () => {
      drag.current = null;
      setBrush(null);
    },
    onPointerLeave: () => setHover(null),
    onDblClick: () => onZoom(null),
    onKeyDown: (/** @type {KeyboardEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const length = zoom.end - zoom.begin;
      const middle = (zoom.begin + zoom.end) / 2;
      if (event.key === "ArrowLeft") panBy(zoom, span, -length / 5, onZoom);
      else if (event.key === "ArrowRight") panBy(zoom, span, length / 5, onZoom);
      else if (event.key === "+" || event.key === "=") zoomAt(zoom, span, middle, 0.5, onZoom);
      else if (event.key === "-") zoomAt(zoom, span, middle, 2, onZoom);
      else if (event.key === "0") onZoom(null);
      else if (event.key === "Enter") onPick(null, zoom.begin);
      else return;
      event.preventDefault();
    },
  };
  const middle = (zoom.begin + zoom.end) / 2;
  return html`<section class="card waterfall" aria-label="Lanes over time">
    <header>
      <h2>Lanes</h2>
      <span class="small dim clip grow">${zoomed
        ? html`${offset(zoom.begin, span)} to ${offset(zoom.end, span)} s of ${duration(span)}`
        : html`${count(lanes.length)} ${lanes.length === 1 ? "lane" : "lanes"} ${transaction.summary.duration_ns > 0 ? html`in ${duration(span)}` : "at one moment"} <span class="hide-small">· drag to zoom, Shift and drag to move, click for the record</span>`}</span>
      ${(transaction.clocks?.length ?? 0) > 0 && html`<button type="button" class="button small" aria-pressed=${clocks} onClick=${onClocks} aria-label="Clocks" title="How far each host's clock is off"><${icons.Clock} /><span class="hide-small">Clocks</span></button>`}
      ${quiet.length > 0 && html`<button type="button" class="button small" aria-pressed=${short} aria-label="Shorten silences" title="Long silences are drawn as short breaks" onClick=${() => prefer("silences", short ? "long" : "short")}><${icons.Gap} /><span class="hide-small">Shorten silences</span></button>`}
      <span class="row" style=${{ gap: "2px" }} role="group" aria-label="Zoom">
        <button type="button" class="button quiet icon small" aria-label="Zoom out" title="Zoom out (−)" disabled=${!zoomed} onClick=${() => zoomAt(zoom, span, middle, 2, onZoom)}><${icons.Minus} /></button>
        <button type="button" class="button quiet icon small" aria-label="Zoom in" title="Zoom in (+)" onClick=${() => zoomAt(zoom, span, middle, 0.5, onZoom)}><${icons.Plus} /></button>
        <button type="button" class="button quiet small" disabled=${!zoomed} title="All of it (0)" onClick=${() => onZoom(null)}>Fit</button>
      </span>
    </header>
    ${clocks && html`<${Clocks} clocks=${transaction.clocks ?? []} />`}
    <div class=${classes("lanes", lanes.length > 12 && "has-overflow")} tabindex=${lanes.length > 12 ? 0 : undefined}>
      <ul class="names" aria-label="Lanes">${lanes.map((lane) => html`<li key=${lane.lane}>
        <button type="button" class=${classes("name", off.size > 0 && !off.has(lane.service) && "off")} aria-pressed=${off.has(lane.service)} onClick=${() => onService(lane.service)} title=${`${lane.service} on ${lane.host}: show its records alone`}>
          <span class="swatch" style=${{ "--tint": tint(lane.service) }}></span>
          <span class="clip">${lane.service}${(transaction.summary.hosts?.length ?? 0) > 1 ? html` <span class="host">${lane.host}</span>` : ""}</span>
          <span class="tail">${lane.errors > 0 && html`<span class="is-error" aria-hidden="true">${count(lane.errors)}</span>`}<span aria-hidden="true">${count(lane.records)}</span></span>
          <span class="visually-hidden">: ${count(lane.records)} records, ${count(lane.errors)} errors, from ${offset(times[lane.lane]?.begin ?? 0, span)} s for ${duration(lane.duration_ns)}</span>
        </button></li>`)}</ul>
      <div class="plot" ref=${plot} tabindex="0" role="group" aria-roledescription="waterfall" aria-label=${`Waterfall, ${duration(zoom.end - zoom.begin)} in sight. Arrow keys move, plus and minus zoom, 0 shows all, Enter goes to the records.`} ...${events}>
        <canvas ref=${canvas} style=${{ height: `${height}px` }} aria-hidden="true"></canvas>
        <${Sight} sight=${sight} scale=${scale} width=${width} span=${span} />
        ${brush && html`<div class="brush" style=${{ left: `${brush.from}px`, width: `${brush.to - brush.from}px` }}></div>`}
        ${hover && !drag.current && html`<${Tip} at=${hover} ns=${scale.ns(hover.x)} within=${3 / scale.rate} ...${{ lanes, marks, records, begin, span, width, quiet }} />`}
      </div>
    </div>
    ${quiet.length > 0 && html`<ul class="visually-hidden" aria-label="Longest silences">${quiet.slice(0, 10).map((silence) => html`<li>${duration(silence.duration)} of silence from ${offset(silence.begin, span)} s</li>`)}</ul>`}
  </section>`;
}

/**
 * What the list below shows, as a line on the axis; drawn for itself, since it moves with every row that is scrolled.
 * @param {{sight: {value: Range | null, listeners: Set<() => void>}, scale: Scale, width: number, span: number}} props
 */
function Sight({ sight, scale, width, span }) {
  const range = useCellValue(sight);
  if (!range || (range.begin <= 0 && range.end >= span)) return null;
  const left = Math.max(0, scale.x(range.begin));
  return html`<div class="sight" style=${{ transform: `translateX(${left}px)`, width: `${Math.max(3, Math.min(width, scale.x(range.end)) - left)}px` }}></div>`;
}

/** @param {{clocks: import("../types.js").Clock[]}} props */
const Clocks = ({ clocks }) => html`<div class="scroll-x" style=${{ borderBottom: "1px solid var(--rule)" }}><table class="table small">
  <thead><tr><th>Host</th><th class="number">Our clock minus its clock</th><th class="number">Uncertainty</th><th></th></tr></thead>
  <tbody>${clocks.map((clock) => html`<tr key=${clock.agent_id}><td>${clock.host}</td>
    <td class="number">${clock.offset_ns == null ? "not measured" : duration(clock.offset_ns)}</td><td class="number">${clock.uncertainty_ns == null ? "–" : html`± ${duration(clock.uncertainty_ns)}`}</td>
    <td class="dim">${clock.stepped ? html`<span class="is-warn">the clock was set meanwhile</span>` : clock.measured === false ? "never measured: its times are taken as they are" : "applied to the order, never to the stored times"}</td></tr>`)}</tbody>
</table></div>`;

/**
 * Records by lane: where they lie and how bad they are.
 * @param {import("../types.js").LogRecord[]} records
 * @param {number} lanes
 * @param {string} begin
 */
function marksOf(records, lanes, begin) {
  /** @type {{ns: number[], index: number[]}[]} */
  const marks = Array.from({ length: lanes }, () => ({ ns: [], index: [] }));
  records.forEach((record, index) => {
    const lane = marks[record.lane ?? -1];
    if (!lane) return;
    lane.ns.push(between(begin, record.at ?? record.time));
    lane.index.push(index);
  });
  return marks;
}

/**
 * Silences with their times: as they are told, or as the records beside them say.
 * @param {import("../types.js").Transaction} transaction
 * @param {import("../types.js").LogRecord[]} records
 * @param {string} begin
 */
function silencesOf(transaction, records, begin) {
  const silences = transaction.silences ?? [];
  if (silences.length === 0) return [];
  const wanted = new Set(silences.flatMap((silence) => [silence.after, silence.before]));
  /** @type {Map<number, number>} */
  const times = new Map();
  for (const record of records) {
    if (record.index !== undefined && wanted.has(record.index)) times.set(record.index, between(begin, record.at ?? record.time));
  }
  return silences.flatMap((silence) => {
    const from = silence.begin ? between(begin, silence.begin) : times.get(silence.after);
    const known = silence.end ? between(begin, silence.end) : times.get(silence.before);
    const to = known ?? (from === undefined ? undefined : from + silence.duration_ns);
    return from === undefined || to === undefined ? [] : [{ begin: from, end: to, duration: silence.duration_ns, from: silence.from_lane, to: silence.to_lane }];
  });
}

/** @param {{at: {x: number, y: number}, ns: number, within: number, lanes: import("../types.js").Lane[], marks: {ns: number[], index: number[]}[], records: import("../types.js").LogRecord[], begin: string, span: number, width: number, quiet: {begin: number, end: number, duration: number}[]}} props */
function Tip({ at, ns, within, lanes, marks, records, begin, span, width, quiet }) {
  const number = Math.floor((at.y - AXIS) / LANE);
  const lane = lanes[number];
  const near = lane ? marks[number].ns.reduce((found, time, index) => (Math.abs(time - ns) <= within ? [...found.slice(0, 60), marks[number].index[index]] : found), /** @type {number[]} */ ([])) : [];
  const errors = near.filter((index) => isError(records[index].severity)).length;
  const silence = quiet.find((silence) => ns > silence.begin && ns < silence.end);
  const left = at.x > width - 240;
  return html`<div class="tip" style=${{ [left ? "right" : "left"]: `${left ? width - at.x + 12 : at.x + 12}px`, top: `${Math.max(2, at.y - 30)}px` }}>
    <span class="mono">${offset(ns, span)} s</span> <span class="dim">${clock(parse(begin).ms + ns / 1e6)}</span>
    ${lane && html`<br />${lane.service}${near.length > 0 ? html`: ${near.length > 60 ? "many" : count(near.length)} ${near.length === 1 ? "record" : "records"}${errors > 0 ? html`, <span class="is-error">${errors} ${errors === 1 ? "error" : "errors"}</span>` : ""}` : ""}`}
    ${silence && html`<br /><span class="dim">${duration(silence.duration)} of silence</span>`}
  </div>`;
}

/** @param {Range} zoom @param {number} span @returns {Range | null} */
function clamped(zoom, span) {
  // A microsecond at least; as wide as everything is no zoom at all.
  const length = Math.min(span, Math.max(1000, zoom.end - zoom.begin));
  if (length >= span * 0.999) return null;
  const begin = Math.max(0, Math.min(zoom.begin, span - length));
  return { begin, end: begin + length };
}

/** @param {Range} zoom @param {number} span @param {number} at @param {number} factor @param {(zoom: Range | null) => void} onZoom */
function zoomAt(zoom, span, at, factor, onZoom) {
  const length = (zoom.end - zoom.begin) * factor;
  const share = (at - zoom.begin) / Math.max(1, zoom.end - zoom.begin);
  onZoom(clamped({ begin: at - share * length, end: at + (1 - share) * length }, span));
}

/** @param {Range} zoom @param {number} span @param {number} begin @param {(zoom: Range | null) => void} onZoom */
const panTo = (zoom, span, begin, onZoom) => onZoom(clamped({ begin: Math.max(0, Math.min(begin, span - (zoom.end - zoom.begin))), end: Math.max(0, Math.min(begin, span - (zoom.end - zoom.begin))) + zoom.end - zoom.begin }, span));

/** @param {Range} zoom @param {number} span @param {number} by @param {(zoom: Range | null) => void} onZoom */
const panBy = (zoom, span, by, onZoom) => panTo(zoom, span, zoom.begin + by, onZoom);

/**
 * @param {HTMLCanvasElement} element
 * @param {{lanes: import("../types.js").Lane[], times: Range[], marks: {ns: number[], index: number[]}[], quiet: {begin: number, end: number, duration: number, from: number, to: number}[], records: import("../types.js").LogRecord[], begin: string, span: number, zoom: Range, scale: Scale, width: number, height: number, whole: boolean, off: Set<string>, selected: import("../types.js").LogRecord | null}} what
 */
function draw(element, { lanes, times, marks, quiet, records, begin, span, zoom, scale, width, height, whole, off, selected }) {
  const ratio = Math.min(devicePixelRatio || 1, 16_000 / Math.max(1, height));
  element.width = Math.round(width * ratio);
  element.height = Math.round(height * ratio);
  const context = element.getContext("2d");
  if (!context) return;
  context.scale(ratio, ratio);
  const colour = /** @type {(name: string) => string} */ ((name) => resolved(`var(--${name})`));
  const ink = { rule: colour("rule"), faint: colour("ink-3"), dim: colour("ink-2"), error: colour("error-mark"), warn: colour("warn-mark"), thread: colour("thread"), surface: colour("surface"), quiet: colour("quiet") };
  const { x } = scale;
  const sans = getComputedStyle(document.body).fontFamily;

  // The axis.
  const step = niceStep(110 / scale.rate);
  context.font = `11px ${sans}`;
  context.textBaseline = "middle";
  context.strokeStyle = ink.rule;
  context.lineWidth = 1;
  let free = -Infinity;
  for (let at = Math.ceil(zoom.begin / step) * step; at <= zoom.end; at += step) {
    const left = Math.round(x(at)) + 0.5;
    if (scale.broken(at) || left < free) continue;
    free = scale.breaks ? left + 60 : left;
    context.beginPath();
    context.moveTo(left, AXIS - 6);
    context.lineTo(left, height);
    context.stroke();
    const label = at === 0 ? "0" : label_of(at, step);
    const wide = context.measureText(label).width;
    if (left + 4 + wide > width) continue;
    context.fillStyle = ink.dim;
    context.fillText(label, left + 4, AXIS / 2);
  }
  context.strokeStyle = ink.rule;
  context.beginPath();
  context.moveTo(0, AXIS + 0.5);
  context.lineTo(width, AXIS + 0.5);
  context.stroke();


  lanes.forEach((lane, number) => {
    const y = AXIS + number * LANE;
    context.globalAlpha = off.size > 0 && !off.has(lane.service) ? 0.3 : 1;
    const tinted = resolved(tint(lane.service));
    const from = x(times[number].begin);
    const to = Math.max(from + 3, x(times[number].end));
    if (to >= 0 && from <= width) {
      context.fillStyle = tinted;
      context.globalAlpha *= 0.2;
      context.beginPath();
      context.roundRect(Math.max(-8, from), y + 7, Math.min(width + 8, to) - Math.max(-8, from), 14, 3);
      context.fill();
      context.globalAlpha = off.size > 0 && !off.has(lane.service) ? 0.3 : 1;
    }
    // How much was written when, a column a pixel; then what was bad about it, on top.
    const columns = new Float64Array(Math.ceil(width) + 2);
    const bad = new Float64Array(Math.ceil(width) + 2);
    const poor = new Float64Array(Math.ceil(width) + 2);
    const exact = whole || (lane.activity ?? []).length === 0 || zoom.end - zoom.begin < span * 0.5;
    if (exact) {
      marks[number].ns.forEach((ns, index) => {
        const column = Math.round(x(ns));
        if (column < 0 || column > width) return;
        columns[column] += 1;
        const { severity } = records[marks[number].index[index]];
        if (isError(severity)) bad[column] += 1;
        else if (severity === "warn") poor[column] += 1;
      });
    } else {
      for (const [bin, there, errors] of lane.activity ?? []) {
        const begins = Math.round(x((bin * span) / BINS));
        const ends = Math.max(begins + 1, Math.round(x(((bin + 1) * span) / BINS)));
        for (let column = Math.max(0, begins); column < Math.min(ends, columns.length); column += 1) {
          columns[column] += there / (ends - begins);
          if (errors > 0 && column === begins) bad[column] += errors;
        }
      }
    }
    const most = columns.reduce((most, value) => Math.max(most, value), 1);
    for (let column = 0; column < columns.length; column += 1) {
      if (columns[column] === 0) continue;
      const size = 6 + 9 * Math.sqrt(columns[column] / most);
      context.fillStyle = tinted;
      context.fillRect(column - 0.75, y + 14 - size / 2, exact ? 2 : 1.5, size);
    }
    for (const [values, paint] of /** @type {[Float64Array, string][]} */ ([[poor, ink.warn], [bad, ink.error]])) {
      for (let column = 0; column < values.length; column += 1) {
        if (values[column] === 0) continue;
        context.fillStyle = paint;
        context.fillRect(column - 1, y + 5, 2.5, 18);
        context.beginPath();
        context.arc(column + 0.25, y + 5, 2.75, 0, 7);
        context.fill();
      }
    }
    // Where the order is uncertain: a dot below; how wide the clocks leave it open is drawn for the one that is chosen.
    context.fillStyle = ink.dim;
    marks[number].ns.forEach((ns, index) => {
      const at = x(ns);
      if (records[marks[number].index[index]].order_uncertain && at >= 0 && at <= width) context.fillRect(at - 1, y + 24, 2, 2);
    });
    context.globalAlpha = 1;
  });

  // Who called whom, where spans say so: from the caller's lane to where the other begins.
  context.strokeStyle = ink.faint;
  context.lineWidth = 1;
  lanes.forEach((lane, number) => {
    if (lane.caller == null || lane.caller === number || !lanes[lane.caller]) return;
    const at = Math.round(x(times[number].begin)) - 2.5;
    if (at < 0 || at > width) return;
    const from = AXIS + lane.caller * LANE + LANE / 2;
    const to = AXIS + number * LANE + LANE / 2;
    context.globalAlpha = 0.55;
    context.beginPath();
    context.moveTo(at, from + Math.sign(to - from) * 7);
    context.lineTo(at, to);
    context.stroke();
    context.globalAlpha = 1;
  });

  // Silences: a break in everything, with its length.
  for (const silence of quiet) {
    const from = x(silence.begin) + 3;
    const to = x(silence.end) - 3;
    if (to - from < 26 || to < 0 || from > width) continue;
    const top = AXIS + 1;
    context.save();
    context.beginPath();
    context.rect(from, top, to - from, height - top);
    context.clip();
    context.globalAlpha = 0.78;
    context.fillStyle = ink.surface;
    context.fillRect(from, top, to - from, height - top);
    context.globalAlpha = 0.35;
    context.strokeStyle = ink.quiet;
    context.lineWidth = 1;
    const left = Math.max(from, -height);
    for (let at = left - height - ((left - height) % 7); at < Math.min(to, width); at += 7) {
      context.beginPath();
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
      context.stroke();
    }
    context.restore();
    const label = duration(silence.duration);
    context.font = `560 11px ${sans}`;
    const wide = context.measureText(label).width;
    const middle = (Math.max(0, from) + Math.min(width, to)) / 2;
    if (wide + 12 > Math.min(width, to) - Math.max(0, from)) continue;
    const y = AXIS + Math.min(lanes.length - 0.5, (silence.from + silence.to + 1) / 2) * LANE;
    context.fillStyle = ink.surface;
    context.beginPath();
    context.roundRect(middle - wide / 2 - 6, y - 9, wide + 12, 18, 9);
    context.fill();
    context.strokeStyle = ink.rule;
    context.stroke();
    context.fillStyle = ink.dim;
    context.fillText(label, middle - wide / 2, y + 0.5);
  }

  if (selected && selected.lane !== undefined) {
    const at = x(between(begin, selected.at ?? selected.time));
    context.strokeStyle = ink.thread;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(at, AXIS - 4);
    context.lineTo(at, height);
    context.stroke();
    context.fillStyle = ink.thread;
    context.beginPath();
    context.arc(at, AXIS + selected.lane * LANE + LANE / 2, 4.5, 0, 7);
    context.fill();
    context.strokeStyle = ink.surface;
    context.stroke();
    const wide = (selected.at_uncertainty_ns ?? 0) * scale.rate;
    if (wide > 3) {
      const y = AXIS + selected.lane * LANE + LANE / 2;
      context.strokeStyle = ink.thread;
      context.lineWidth = 1;
      for (const end of [at - wide, at + wide]) {
        context.beginPath();
        context.moveTo(at, y);
        context.lineTo(end, y);
        context.moveTo(end, y - 4);
        context.lineTo(end, y + 4);
        context.stroke();
      }
    }
  }
}

/** @typedef {{x: (ns: number) => number, ns: (x: number) => number, rate: number, breaks: boolean, broken: (ns: number) => boolean}} Scale */

/** As wide a long silence is, in pixels, when it is drawn as a break. */
const BREAK = 64;
/** Room at both ends, so that the first and the last record are seen whole. */
const PAD = 8;

/**
 * Where times lie: in proportion, but for silences that are drawn as breaks of one width.
 * @param {Range} zoom
 * @param {number} width
 * @param {{begin: number, end: number}[]} quiet silences that may be shortened
 * @returns {Scale} rate: pixels a nanosecond, where nothing is shortened
 */
function scaleOf(zoom, width, quiet) {
  const inside = quiet.map(({ begin, end }) => ({ begin: Math.max(begin, zoom.begin), end: Math.min(end, zoom.end) })).filter(({ begin, end }) => end > begin).sort((left, right) => left.begin - right.begin);
  /** Which are so long that a break is shorter: each that is taken out makes the rest wider, so the longest are tried first. */
  /** @type {{begin: number, end: number}[]} */
  let breaks = [];
  const room = Math.max(1, width - 2 * PAD);
  let rate = room / Math.max(1, zoom.end - zoom.begin);
  for (const silence of [...inside].sort((left, right) => right.end - right.begin - (left.end - left.begin))) {
    const tried = [...breaks, silence];
    const rest = zoom.end - zoom.begin - tried.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const left = room - tried.length * BREAK;
    if ((silence.end - silence.begin) * rate <= BREAK * 1.5 || left < room / 3) break;
    [breaks, rate] = [tried, left / Math.max(1, rest)];
  }
  breaks = breaks.sort((left, right) => left.begin - right.begin);
  /** Pieces in which a pixel is as long everywhere. @type {{begin: number, end: number, left: number, rate: number, broken: boolean}[]} */
  const pieces = [];
  let at = zoom.begin;
  let left = PAD;
  for (const { begin, end } of breaks) {
    pieces.push({ begin: at, end: begin, left, rate, broken: false });
    left += (begin - at) * rate;
    pieces.push({ begin, end, left, rate: BREAK / (end - begin), broken: true });
    left += BREAK;
    at = end;
  }
  pieces.push({ begin: at, end: zoom.end, left, rate, broken: false });
  const piece = (/** @type {number} */ ns) => pieces.find((piece) => ns < piece.end) ?? pieces[pieces.length - 1];
  return {
    rate, breaks: breaks.length > 0,
    x: (ns) => {
      const { begin, left, rate } = piece(ns);
      return left + (ns - begin) * rate;
    },
    ns: (x) => {
      const found = pieces.findLast((piece) => piece.left <= x) ?? pieces[0];
      return found.begin + (x - found.left) / found.rate;
    },
    broken: (ns) => piece(ns).broken,
  };
}

/** 1, 2 or 5 of something. @param {number} least */
function niceStep(least) {
  if (least > 10e9) return [15e9, 30e9, 60e9, 120e9, 300e9, 600e9, 1800e9, 3600e9, 7200e9, 21600e9, 43200e9, 86400e9].find((step) => step >= least) ?? Math.ceil(least / 86400e9) * 86400e9;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

/** @param {number} ns @param {number} step */
function label_of(ns, step) {
  if (ns >= 60e9) return duration(Math.round(ns / step) * step);
  const [size, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : ns >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const places = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / size) - 1e-9)));
  return `${(ns / size).toFixed(places)} ${unit}`;
}
