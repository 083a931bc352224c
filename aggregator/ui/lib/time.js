// Times: RFC 3339 with nanoseconds, which a Date cannot hold. A time is taken apart into whole milliseconds and the nanoseconds
// within one; differences are exact.
import { preference } from "./preferences.js";

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** @type {Map<string, {ms: number, ns: number}>} */
const known = new Map();

/**
 * Milliseconds since 1970 and nanoseconds within the millisecond.
 * @param {string} text
 */
export function parse(text) {
  const found = known.get(text);
  if (found) return found;
  const parts = FORM.exec(text);
  const fraction = (parts?.[2] ?? "").padEnd(9, "0");
  const time = parts
    ? { ms: Date.parse(parts[1] + parts[3]) + Number(fraction.slice(0, 3)), ns: Number(fraction.slice(3)) }
    : { ms: Date.parse(text) || 0, ns: 0 };
  // Bounded: a list of a hundred thousand records is scrolled through, and few of its times are asked for twice.
  if (known.size > 20_000) known.clear();
  known.set(text, time);
  return time;
}

/**
 * Nanoseconds from one time to another.
 * @param {string} from
 * @param {string} to
 */
export function between(from, to) {
  const begin = parse(from);
  const end = parse(to);
  return (end.ms - begin.ms) * 1e6 + (end.ns - begin.ns);
}

/**
 * A time so many nanoseconds later.
 * @param {string} from
 * @param {number} ns
 */
export function later(from, ns) {
  const begin = parse(from);
  const whole = Math.floor((begin.ns + ns) / 1e6);
  const rest = Math.round(begin.ns + ns - whole * 1e6);
  const seconds = new Date(begin.ms + whole).toISOString();
  return `${seconds.slice(0, -1)}${String(rest).padStart(6, "0")}Z`;
}

/** @param {number} number @param {number} [width] */
const pad = (number, width = 2) => String(number).padStart(width, "0");

/**
 * The parts of a time in the zone that the reader chose.
 * @param {number} ms
 */
function parts(ms) {
  const date = new Date(ms);
  return preference("zone") === "local"
    ? { year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate(), hour: date.getHours(), minute: date.getMinutes(), second: date.getSeconds(), milli: date.getMilliseconds() }
    : { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(), hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds(), milli: date.getUTCMilliseconds() };
}

/** @param {string | number} time text, or milliseconds */
const millis = (time) => (typeof time === "number" ? time : parse(time).ms);

/**
 * `13:07:00.605`
 * @param {string | number} time
 */
export function clock(time) {
  const at = parts(millis(time));
  return `${pad(at.hour)}:${pad(at.minute)}:${pad(at.second)}.${pad(at.milli, 3)}`;
}

/**
 * `13:07:00`
 * @param {string | number} time
 */
export const clockSeconds = (time) => clock(time).slice(0, 8);

/**
 * `2026-11-23`
 * @param {string | number} time
 */
export function day(time) {
  const at = parts(millis(time));
  return `${at.year}-${pad(at.month)}-${pad(at.day)}`;
}

/**
 * `2026-11-23 13:07:00.605`
 * @param {string | number} time
 */
export const full = (time) => `${day(time)} ${clock(time)}`;

/**
 * With every digit that the time has: `2026-11-23 13:07:00.605123456`
 * @param {string} time
 */
export function exact(time) {
  const { ns } = parse(time);
  return ns === 0 ? full(time) : `${full(time)}${pad(ns, 6)}`;
}

/** What the zone is called. */
export const zone = () => {
  if (preference("zone") !== "local") return "UTC";
  const minutes = -new Date().getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  return `UTC${sign}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
};

const UNITS = /** @type {const} */ ({ ns: 1e-6, us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 });

/**
 * Milliseconds since 1970 of what the API takes as a time (`now`, `-15m`, `2026-11-25T10:15`, a number), or null.
 * @param {string} text
 * @param {number} [now]
 */
export function resolve(text, now = Date.now()) {
  const relative = /^(?:now)?((?:[+-](?:\d+(?:ns|us|ms|s|m|h|d|w))+)?)$/.exec(text.trim());
  if (relative && text.trim() !== "") {
    const sign = relative[1].startsWith("-") ? -1 : 1;
    let ms = 0;
    for (const [, number, unit] of relative[1].matchAll(/(\d+)(ns|us|ms|s|m|h|d|w)/g)) {
      ms += Number(number) * UNITS[/** @type {keyof typeof UNITS} */ (unit)];
    }
    return now + sign * ms;
  }
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/.exec(text.trim());
  if (!date) return null;
  const milli = (date[4] ?? ".000").slice(0, 4).padEnd(4, "0");
  const ms = Date.parse(`${date[1]}T${date[2] ?? "00:00"}${date[3] ?? ":00"}${milli}${date[5] ?? "Z"}`);
  return Number.isNaN(ms) ? null : ms;
}
