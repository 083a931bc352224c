// Where the reader is. The address holds all state: a page that is opened from a copied address looks the same.
import { useEffect, useState } from "../vendor/hooks.js";

/** Browsers refuse to be told an address too often (Chromium: 200 times in 10 s), and a wheel turns faster than that. */
const WRITE_MS = 100;

/** @type {Set<() => void>} */
const listeners = new Set();

/** What the browser shows follows this within WRITE_MS. */
let here = globalThis.location?.href ?? "";
let written = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let writing;

const changed = () => {
  for (const listener of listeners) listener();
};

const write = () => {
  clearTimeout(writing);
  writing = undefined;
  if (here === location.href) return;
  written = performance.now();
  history.replaceState(null, "", here);
};

/**
 * Goes to an address of this page.
 * @param {string} to
 * @param {{replace?: boolean, keepFocus?: boolean}} [how]
 */
export function navigate(to, how = {}) {
  const from = new URL(here);
  const url = new URL(to, from);
  if (url.href === from.href) return;
  const elsewhere = url.pathname !== from.pathname;
  if (how.replace) {
    here = url.href;
    const wait = written + WRITE_MS - performance.now();
    if (wait <= 0) write();
    else writing ??= setTimeout(write, wait);
  } else {
    write();
    here = url.href;
    history.pushState(null, "", here);
  }
  changed();
  if (elsewhere && !how.keepFocus) {
    scrollTo(0, 0);
    // A screen reader learns that this is another page by where it stands.
    requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
  }
}

/** Has links of ours change the page instead of loading it anew. */
export function start() {
  addEventListener("popstate", () => {
    clearTimeout(writing);
    writing = undefined;
    here = location.href;
    changed();
  });
  addEventListener("pagehide", write);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (link.pathname.startsWith("/api/") || /\.(json|md)$/.test(link.pathname) || link.pathname === "/metrics") return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    navigate(link.href);
  });
}

/** The path and the parameters; the component is drawn anew when they change. */
export function useAddress() {
  const [href, setHref] = useState(here);
  useEffect(() => {
    const listener = () => setHref(here);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  const url = new URL(href);
  return { path: url.pathname, parameters: url.searchParams };
}

/**
 * The address of here with other parameters; empty ones go.
 * @param {Record<string, string | number | null | undefined>} changes
 */
export function withParameters(changes) {
  const url = new URL(here);
  for (const [name, value] of Object.entries(changes)) {
    if (value == null || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  // Colons, commas and slashes may stand in a query string as they are, and are easier to read.
  const query = url.searchParams.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%2F/g, "/");
  return query === "" ? url.pathname : `${url.pathname}?${query}`;
}
