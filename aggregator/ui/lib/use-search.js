// What a query finds, as it is found: the aggregator is asked for what it has in a moment, again and again, each time going on where
// it stopped. Nothing between what is shown is missing, and a search that takes long can be watched and ended.
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";
import { address, ask, isAborted, locked } from "./api.js";

/** Records of one go: what fills a screen comes at once, further ones when somebody scrolls. */
const FIRST = 200;
const PAGE = 1_000;
const STEP = "1s";
const STEP_LONG = "20s";
/** So many of the tail are kept; older ones go. */
const TAIL_MAX = 10_000;
/** Records that come in are drawn together. */
const GATHER_MS = 120;

/** @typedef {import("../types.js").LogRecord} LogRecord */

/**
 * @param {{q: string, from: string, to: string, order: string}} asked
 * @param {number} turn asks anew when it changes
 * @param {boolean} off nothing is asked
 */
export function useSearch(asked, turn, off) {
  const key = JSON.stringify([asked, turn]);
  const [state, setState] = useState({
    key: "", records: /** @type {LogRecord[]} */ ([]), cursor: /** @type {string | null} */ (null), problem: /** @type {Error | null} */ (null),
    busy: !off, stopped: false, took: 0, scanned: { records: 0, bytes: 0 }, warnings: /** @type {string[]} */ ([]), damaged: 0,
  });
  const held = useRef(state);
  const put = (/** @type {Partial<typeof state>} */ changes) => {
    held.current = { ...held.current, ...changes };
    setState(held.current);
  };
  const controller = useRef(new AbortController());

  const run = useCallback(async (/** @type {number} */ wanted, /** @type {boolean} */ first) => {
    controller.current.abort();
    const { signal } = (controller.current = new AbortController());
    put({ busy: true, stopped: false, problem: null });
    let step = STEP;
    try {
      for (let begins = first; begins || (held.current.cursor !== null && held.current.records.length < wanted); begins = false) {
        const before = held.current.cursor;
        const answer = /** @type {import("../types.js").SearchAnswer} */ (await ask("/api/v1/logs/search", { ...asked, cursor: begins ? null : before, limit: Math.max(1, wanted - held.current.records.length), timeout: step }, signal));
        if (signal.aborted) return;
        const { meta } = answer;
        // A step that came nowhere needs more time.
        if (meta.partial && answer.next_cursor === before) step = STEP_LONG;
        put({
          records: answer.records.length > 0 ? [...held.current.records, ...answer.records] : held.current.records,
          cursor: answer.next_cursor, took: held.current.took + meta.took_ms,
          scanned: { records: held.current.scanned.records + (meta.records_scanned ?? 0), bytes: held.current.scanned.bytes + (meta.bytes_scanned ?? 0) },
          warnings: [...new Set([...held.current.warnings, ...(meta.warnings ?? []).filter((warning) => !meta.partial || !/time/.test(warning))])],
          damaged: Math.max(held.current.damaged, meta.blocks_damaged ?? 0),
        });
        if (meta.partial && answer.next_cursor === null) break;
      }
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      put({ problem: /** @type {Error} */ (error) });
    }
    put({ busy: false });
  }, [key]);

  useEffect(() => {
    if (off) return;
    put({ key, records: [], cursor: null, problem: null, busy: true, stopped: false, took: 0, scanned: { records: 0, bytes: 0 }, warnings: [], damaged: 0 });
    void run(FIRST, true);
    return () => controller.current.abort();
  }, [key, off]);

  const more = useCallback(() => {
    if (held.current.cursor !== null && !held.current.busy && !held.current.stopped && !held.current.problem) void run(held.current.records.length + PAGE, false);
  }, [run]);
  const goOn = useCallback(() => void run(held.current.records.length + PAGE, false), [run]);
  const stop = useCallback(() => {
    controller.current.abort();
    put({ busy: false, stopped: true });
  }, []);
  return { ...state, more, goOn, stop };
}

/**
 * Records as they come in.
 * @param {string} q
 * @param {number} turn begins anew when it changes
 * @param {boolean} on
 */
export function useTail(q, turn, on) {
  const [state, setState] = useState({ records: /** @type {LogRecord[]} */ ([]), waiting: 0, paused: false, dropped: 0, droppedUnknown: false, connected: false, lost: false, forgotten: 0, problem: /** @type {Error | null} */ (null) });
  const held = useRef(state);
  const fresh = useRef(/** @type {LogRecord[]} */ ([]));
  const put = (/** @type {Partial<typeof state>} */ changes) => {
    held.current = { ...held.current, ...changes };
    setState(held.current);
  };
  const show = () => {
    const all = [...held.current.records, ...fresh.current];
    fresh.current = [];
    const over = Math.max(0, all.length - TAIL_MAX);
    put({ records: over > 0 ? all.slice(over) : all, waiting: 0, forgotten: held.current.forgotten + over });
  };
  useEffect(() => {
    if (!on) return;
    fresh.current = [];
    put({ records: [], waiting: 0, paused: false, dropped: 0, droppedUnknown: false, connected: false, lost: false, forgotten: 0, problem: null });
    const controller = new AbortController();
    /** @type {EventSource | null} */
    let events = null;
    const timer = setInterval(() => {
      if (fresh.current.length === 0) return;
      if (held.current.paused) {
        // What waits is bounded as what is shown: of more than that the oldest would go anyway.
        if (fresh.current.length > TAIL_MAX) {
          put({ forgotten: held.current.forgotten + fresh.current.length - TAIL_MAX });
          fresh.current = fresh.current.slice(-TAIL_MAX);
        }
        put({ waiting: fresh.current.length });
      } else show();
    }, GATHER_MS);
    const start = async () => {
      try {
        // Events have no way to say that a query cannot be read.
        await ask("/api/v1/logs/search", { q, limit: 1, from: "now-1ms", timeout: "1s" }, controller.signal);
      } catch (error) {
        if (!isAborted(error)) put({ problem: /** @type {Error} */ (error) });
        return;
      }
      if (controller.signal.aborted) return;
      events = new EventSource(address("/api/v1/logs/tail", { q }));
      events.onopen = () => put({ connected: true, lost: false, problem: null });
      events.onerror = () => {
        if (events?.readyState === EventSource.CLOSED) locked();
        put({ connected: false, lost: true, problem: events?.readyState === EventSource.CLOSED ? new Error("the aggregator refused the tail; too many may be followed already") : null });
      };
      events.addEventListener("record", (event) => fresh.current.push(JSON.parse(/** @type {MessageEvent} */ (event).data)));
      events.addEventListener("dropped", (event) => {
        const { records } = JSON.parse(/** @type {MessageEvent} */ (event).data);
        put(records === null ? { droppedUnknown: true } : { dropped: held.current.dropped + records });
      });
    };
    void start();
    return () => {
      controller.abort();
      events?.close();
      clearInterval(timer);
    };
  }, [q, turn, on]);
  const pause = useCallback((/** @type {boolean} */ paused) => {
    put({ paused });
    if (!paused) show();
  }, []);
  const clear = useCallback(() => put({ records: [], forgotten: 0 }), []);
  return { ...state, pause, clear };
}
