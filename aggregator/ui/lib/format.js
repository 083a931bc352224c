// Numbers for people. Every one of them comes with its unit.

const COUNT = new Intl.NumberFormat("en", { useGrouping: true });

/**
 * `12,345`
 * @param {number | null | undefined} number
 */
export const count = (number) => (number == null ? "–" : COUNT.format(number));

/**
 * `12.3k`, for where there is little room.
 * @param {number} number
 */
export function short(number) {
  const steps = /** @type {const} */ ([[1e9, "G"], [1e6, "M"], [1e3, "k"]]);
  for (const [size, letter] of steps) {
    if (number >= size) return `${digits(number / size)}${letter}`;
  }
  return number >= 10 || Number.isInteger(number) ? String(Math.round(number)) : number.toFixed(number < 1 ? 2 : 1);
}

/** Three digits that count. @param {number} number */
const digits = (number) => (number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2));

/**
 * `626 ms`, `1.20 s`, `2 m 03 s`, `3 h 05 m`
 * @param {number | null | undefined} ns
 */
export function duration(ns) {
  if (ns == null) return "–";
  const sign = ns < 0 ? "−" : "";
  const size = Math.abs(ns);
  if (size === 0) return "0 s";
  if (size < 1e3) return `${sign}${size.toFixed(0)} ns`;
  if (size < 1e6) return `${sign}${digits(size / 1e3)} µs`;
  if (size < 999.5e6) return `${sign}${digits(size / 1e6)} ms`;
  if (size < 60e9) return `${sign}${digits(size / 1e9)} s`;
  const seconds = Math.round(size / 1e9);
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  if (seconds < 86400) return `${sign}${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} m`;
  return `${sign}${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/**
 * An offset from the beginning, digits under digits: `+0.605 s`
 * @param {number} ns
 * @param {number} [spanNs] of everything that stands in the column: it decides about the digits
 */
export function offset(ns, spanNs = 0) {
  const sign = ns < 0 ? "−" : "+";
  const seconds = Math.abs(ns) / 1e9;
  if (spanNs >= 3600e9 || seconds >= 3600) {
    const whole = Math.floor(seconds);
    return `${sign}${Math.floor(whole / 3600)}:${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
  }
  const places = spanNs > 0 && spanNs < 10e6 ? 6 : spanNs >= 100e9 ? 2 : 3;
  return `${sign}${seconds.toFixed(places)}`;
}

/**
 * `4.2 MiB`
 * @param {number | null | undefined} number
 */
export function bytes(number) {
  if (number == null) return "–";
  const steps = /** @type {const} */ ([[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]);
  for (const [size, unit] of steps) {
    if (number >= size) return `${digits(number / size)} ${unit}`;
  }
  return `${number} B`;
}

/**
 * `12.5 %`
 * @param {number} fraction
 */
export function percent(fraction) {
  const number = fraction * 100;
  if (number === 0) return "0 %";
  return `${number < 0.1 ? "<0.1" : number < 10 ? number.toFixed(1) : number.toFixed(0)} %`;
}

/**
 * `3 s ago`
 * @param {number} ms when it was
 * @param {number} [now]
 */
export function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/**
 * `1 record`, `2 records`
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
