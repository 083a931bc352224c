// What a reader chose, kept by the browser: theme, zone, raw lines. A browser that keeps nothing is fine as well.

/** @typedef {{theme: "auto" | "light" | "dark", zone: "utc" | "local", lines: "tidy" | "raw", folds: "on" | "off", silences: "long" | "short"}} Preferences */

/** @type {Preferences} */
const defaults = { theme: "auto", zone: "utc", lines: "tidy", folds: "on", silences: "long" };

/** @type {Set<() => void>} */
const listeners = new Set();

/** @type {Partial<Preferences>} */
let values = {};
try {
  values = JSON.parse(localStorage.getItem("clew") ?? "{}");
} catch {}

/**
 * @template {keyof Preferences} Name
 * @param {Name} name
 * @returns {Preferences[Name]}
 */
export const preference = (name) => /** @type {Preferences} */ ({ ...defaults, ...values })[name];

/**
 * @template {keyof Preferences} Name
 * @param {Name} name
 * @param {Preferences[Name]} value
 */
export function prefer(name, value) {
  values = { ...values, [name]: value };
  try {
    localStorage.setItem("clew", JSON.stringify(values));
  } catch {}
  if (name === "theme") document.documentElement.dataset.theme = String(value);
  for (const listener of listeners) listener();
}

/**
 * Calls back after every change; answers with how to end it.
 * @param {() => void} listener
 */
export function onPreference(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
