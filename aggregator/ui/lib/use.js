// Hooks that several pages share.
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";
import { isAborted } from "./api.js";
import { onPreference } from "./preferences.js";

/**
 * @template T
 * @typedef {{value: T | null, at: number, problem: Error | null, loading: boolean, again: () => void}} Answer at: when the value came, in milliseconds
 */

/**
 * Asks when `key` changes, and keeps the last answer until the next one is there. What is under way is given up then.
 * @template T
 * @param {string | null} key what the answer depends on; null for nothing to ask
 * @param {(signal: AbortSignal) => Promise<T>} question
 * @param {{every?: number, fresh?: boolean}} [how] every: asks again after so many milliseconds, while the page is seen;
 *   fresh: an answer to another key is not shown meanwhile
 * @returns {Answer<T>}
 */
export function useAnswer(key, question, how = {}) {
  const [state, setState] = useState(/** @type {{key: string | null, value: T | null, at: number, problem: Error | null, loading: boolean}} */ ({ key, value: null, at: 0, problem: null, loading: key !== null }));
  const [turn, setTurn] = useState(0);
  const latest = useRef(question);
  latest.current = question;
  useEffect(() => {
    if (key === null) return;
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const run = async () => {
      setState((before) => ({ ...before, loading: true }));
      try {
        const value = await latest.current(controller.signal);
        if (!controller.signal.aborted) setState({ key, value, at: Date.now(), problem: null, loading: false });
      } catch (error) {
        if (controller.signal.aborted || isAborted(error)) return;
        setState((before) => ({ ...before, key, value: before.key === key ? before.value : null, problem: /** @type {Error} */ (error), loading: false }));
      }
      if (how.every && !controller.signal.aborted) timer = setTimeout(wait, how.every);
    };
    const wait = () => {
      if (document.hidden) timer = setTimeout(wait, 1000);
      else void run();
    };
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, turn, how.every]);
  const again = useCallback(() => setTurn((turn) => turn + 1), []);
  const stale = state.key !== key;
  return {
    value: stale && how.fresh ? null : state.value,
    at: state.at,
    problem: stale ? null : state.problem,
    loading: key !== null && (state.loading || stale),
    again,
  };
}

/**
 * A value that changes often, with those alone drawn anew who look at it.
 * @template T
 * @param {T} value
 */
export function useCell(value) {
  const cell = useRef(/** @type {{value: T, listeners: Set<() => void>, set: (value: T) => void} | null} */ (null));
  if (!cell.current) {
    const made = { value, listeners: new Set(), set: (/** @type {T} */ value) => {
      made.value = value;
      for (const listener of made.listeners) listener();
    } };
    cell.current = made;
  }
  return cell.current;
}

/**
 * @template T
 * @param {{value: T, listeners: Set<() => void>}} cell
 * @returns {T}
 */
export function useCellValue(cell) {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((times) => times + 1);
    cell.listeners.add(listener);
    listener();
    return () => void cell.listeners.delete(listener);
  }, [cell]);
  return cell.value;
}

/** Draws the component anew when the reader prefers something else. */
export function usePreferences() {
  const [, draw] = useState(0);
  useEffect(() => onPreference(() => draw((times) => times + 1)), []);
}

/** Draws the component anew every so many milliseconds. @param {number} every */
export function useClock(every) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/**
 * The size of an element, as it changes.
 * @returns {[{current: any}, {width: number, height: number}]}
 */
export function useSize() {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      const height = Math.floor(entry.contentRect.height);
      setSize((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, size];
}

/**
 * The title of the document.
 * @param {string} title
 */
export function useTitle(title) {
  useEffect(() => {
    document.title = title === "" ? "Clew" : `${title} · Clew`;
  }, [title]);
}
