// Keys that work anywhere on the page, as long as nobody is typing. A page adds its own for as long as it is shown; the help
// (`?`) lists what is there.
import { useLayoutEffect, useRef } from "../vendor/hooks.js";

/** @typedef {{keys: string, what: string, run: (event: KeyboardEvent) => void, where?: string}} Shortcut */

/** @type {Set<{current: Shortcut[]}>} */
const groups = new Set();
let pending = "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let forget;

/** @param {EventTarget | null} target */
export const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && /^(checkbox|radio|button|range)$/.test(target.type));

/** Listens for all of them. */
export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    // A dialog has the keys for itself, and closes by Escape without us.
    if (document.querySelector("dialog[open]")) return;
    const typed = pending === "" ? event.key : `${pending} ${event.key}`;
    const all = [...groups].reverse().flatMap((group) => group.current);
    const shortcut = all.find((shortcut) => shortcut.keys.split(", ").includes(typed));
    clearTimeout(forget);
    pending = "";
    if (shortcut) {
      event.preventDefault();
      shortcut.run(event);
    } else if (all.some((shortcut) => shortcut.keys.startsWith(`${event.key} `))) {
      pending = event.key;
      forget = setTimeout(() => (pending = ""), 1200);
    }
  });
}

/**
 * Keys that work while the component is shown.
 * @param {Shortcut[]} shortcuts
 */
export function useShortcuts(shortcuts) {
  const held = useRef(shortcuts);
  held.current = shortcuts;
  // Before anything is seen: who sees the page may press a key.
  useLayoutEffect(() => {
    groups.add(held);
    return () => void groups.delete(held);
  }, []);
}

/** All that work now. */
export const shortcuts = () => [...groups].flatMap((group) => group.current);
