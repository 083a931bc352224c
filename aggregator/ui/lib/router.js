// Where the reader is. The address holds all state: a page that is opened from a copied address looks the same.
import { useEffect, useState } from "../vendor/hooks.js";

/** @type {Set<() => void>} */
const listeners = new Set();

const changed = () => {
  for (const listener of listeners) listener();
};

/**
 * Goes to an address of this page.
 * @param {string} to
 * @param {{replace?: boolean, keepFocus?: boolean}} [how]
 */
export function navigate(to, how = {}) {
  const url = new URL(to, location.href);
  if (url.href === location.href) return;
  const elsewhere = url.pathname !== location.pathname;
  if (how.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  changed();
  if (elsewhere && !how.keepFocus) {
    scrollTo(0, 0);
    // A screen reader learns that this is another page by where it stands.
    requestAnimationFrame(() => document.getElementById("main")?.focus({ preventScroll: true }));
  }
}

/** Has links of ours change the page instead of loading it anew. */
export function start() {
  addEventListener("popstate", changed);
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
  const [href, setHref] = useState(location.href);
  useEffect(() => {
    const listener = () => setHref(location.href);
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
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value == null || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  // Colons, commas and slashes may stand in a query string as they are, and are easier to read.
  const query = url.searchParams.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%2F/g, "/");
  return query === "" ? url.pathname : `${url.pathname}?${query}`;
}
