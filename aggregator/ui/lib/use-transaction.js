// A transaction as it is loaded and as it grows: its first page at once, further ones one after the other, and while it is open what
// comes in meanwhile, told by the aggregator, or asked for where it does not tell.
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";
import { address, ask, isAborted, transactionPath } from "./api.js";

const FIRST = 500;
/** As many as the aggregator gives at once: each page costs it the whole transaction. */
const NEXT = 10_000;
/** So many are loaded without being asked for. */
const EAGER = 20_000;
const POLL_MS = 2_500;
const UNKNOWN_MS = 3_000;

/** @typedef {import("../types.js").Transaction} Transaction */
/** @typedef {import("../types.js").LogRecord} LogRecord */

/**
 * @param {string} id
 * @param {{service?: string, level?: string, bridge?: string}} filter
 */
export function useTransaction(id, filter) {
  const key = JSON.stringify([id, filter]);
  const [state, setState] = useState({
    key: "", transaction: /** @type {Transaction | null} */ (null), records: /** @type {LogRecord[]} */ ([]),
    cursor: /** @type {string | null} */ (null), problem: /** @type {Error | null} */ (null), loading: true, live: false, lost: false,
  });
  const [turn, setTurn] = useState(0);
  const held = useRef(state);
  const put = (/** @type {Partial<typeof state>} */ changes) => {
    held.current = { ...held.current, ...changes };
    setState(held.current);
  };
  /** So many records are wanted. */
  const wanted = useRef(EAGER);
  const loading = useRef(/** @type {AbortController | null} */ (null));

  const load = useCallback(async (/** @type {AbortSignal} */ signal) => {
    try {
      while (held.current.cursor !== null && held.current.records.length < wanted.current && !signal.aborted) {
        put({ loading: true, problem: null });
        const page = /** @type {Transaction} */ (await ask(transactionPath(id), { ...filter, limit: NEXT, cursor: held.current.cursor }, signal));
        if (signal.aborted) return;
        put({ records: [...held.current.records, ...page.records], cursor: page.next_cursor });
      }
    } catch (error) {
      if (!isAborted(error) && !signal.aborted) put({ problem: /** @type {Error} */ (error) });
    }
    if (!signal.aborted) put({ loading: false });
  }, [key]);

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    loading.current = controller;
    wanted.current = EAGER;
    const known = held.current.transaction;
    // With another filter it is the same transaction: lanes and verdict stay while its records are asked for.
    put({ key, transaction: known && JSON.parse(held.current.key || "[null]")[0] === id ? known : null, records: [], cursor: null, problem: null, loading: true, live: false, lost: false });
    /** @type {EventSource | null} */
    let events = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const open = () => held.current.transaction?.completeness.state === "open";

    const first = async () => {
      try {
        const answer = /** @type {Transaction} */ (await ask(transactionPath(id), { ...filter, limit: FIRST }, signal));
        if (signal.aborted) return;
        put({ transaction: answer, records: answer.records, cursor: answer.next_cursor, problem: null, loading: answer.next_cursor !== null });
        await load(signal);
        if (!signal.aborted && open()) listen();
      } catch (error) {
        if (isAborted(error) || signal.aborted) return;
        put({ problem: /** @type {Error} */ (error), loading: false });
        const problem = /** @type {any} */ (error);
        // It may come: an agent that is not behind had shipped everything a moment ago, and this ID may be younger than that.
        if (problem.status === 404 || problem.status === 0) timer = setTimeout(askAgain, UNKNOWN_MS);
      }
    };
    const askAgain = () => {
      if (document.hidden) timer = setTimeout(askAgain, UNKNOWN_MS);
      else void first();
    };
    const listen = () => {
      events = new EventSource(address(`${transactionPath(id)}/stream`, filter));
      put({ live: true });
      events.onopen = () => put({ lost: false });
      events.addEventListener("records", (event) => {
        const { records } = JSON.parse(/** @type {MessageEvent} */ (event).data);
        // Of one that is loaded in part, what comes in stands behind what is loaded.
        if (held.current.cursor !== null) return;
        // It begins with all that there is, most of which is here already.
        const news = unknownOf(held.current.records, records);
        if (news.length > 0) put({ records: merged(held.current.records, news) });
      });
      events.addEventListener("state", (event) => {
        const answer = /** @type {Transaction} */ (JSON.parse(/** @type {MessageEvent} */ (event).data));
        put({ transaction: { .../** @type {Transaction} */ (held.current.transaction), ...answer } });
      });
      events.addEventListener("end", () => {
        events?.close();
        put({ live: false });
        // What was settled is asked for once more, so that the page holds exactly what the aggregator answers.
        refresh().catch((error) => signal.aborted || put({ problem: error }));
      });
      events.onerror = () => {
        put({ lost: true });
        // The browser tries again by itself, unless it was refused.
        if (events?.readyState !== EventSource.CLOSED) return;
        events = null;
        timer = setTimeout(poll, POLL_MS);
      };
    };
    const refresh = async () => {
      const count = Math.min(10_000, Math.max(FIRST, held.current.records.length + 200));
      const answer = /** @type {Transaction} */ (await ask(transactionPath(id), { ...filter, limit: count }, signal));
      if (signal.aborted) return;
      const all = answer.next_cursor === null;
      put({ transaction: answer, ...(all ? { records: same(held.current.records, answer.records), cursor: null } : {}) });
    };
    const poll = async () => {
      try {
        if (!document.hidden) await refresh();
        put({ live: open(), lost: false });
      } catch (error) {
        if (isAborted(error) || signal.aborted) return;
        put({ lost: true });
      }
      if (!signal.aborted && open()) timer = setTimeout(poll, POLL_MS);
    };
    void first();
    return () => {
      controller.abort();
      events?.close();
      clearTimeout(timer);
    };
  }, [key, turn]);

  /** Has so many records loaded. */
  const want = useCallback((/** @type {number} */ count) => {
    const controller = loading.current;
    if (!controller || count <= wanted.current) return;
    wanted.current = count + NEXT;
    if (!held.current.loading && held.current.cursor !== null) void load(controller.signal);
  }, [load]);
  const again = useCallback(() => setTurn((turn) => turn + 1), []);
  return { ...state, want, again, stale: state.key !== key };
}

/** @param {LogRecord} record */
const place = (record) => `${record.source_id} ${record.position}`;

/** Which records a list holds, for as long as it is the same list. @type {WeakMap<LogRecord[], Map<string, LogRecord>>} */
const places = new WeakMap();

/** @param {LogRecord[]} records */
function placesOf(records) {
  let found = places.get(records);
  if (!found) {
    found = new Map(records.map((record) => [place(record), record]));
    places.set(records, found);
  }
  return found;
}

/**
 * Those that are not in the list, or elsewhere.
 * @param {LogRecord[]} records
 * @param {LogRecord[]} told
 */
function unknownOf(records, told) {
  const known = placesOf(records);
  return told.filter((record) => {
    const there = known.get(place(record));
    return !there || there.index !== record.index || there.at !== record.at || there.lane !== record.lane;
  });
}

/**
 * With new ones, and others where they were moved to.
 * @param {LogRecord[]} records
 * @param {LogRecord[]} news
 */
function merged(records, news) {
  const all = new Map(placesOf(records));
  for (const record of news) all.set(place(record), record);
  return [...all.values()].sort((left, right) => (left.index ?? 0) - (right.index ?? 0));
}

/**
 * The new list, with the records that were there already as the same objects: what is known of them is kept.
 * @param {LogRecord[]} before
 * @param {LogRecord[]} after
 */
function same(before, after) {
  const all = placesOf(before);
  return after.map((record) => {
    const known = all.get(place(record));
    return known && known.index === record.index && known.lane === record.lane && known.at === record.at ? known : record;
  });
}
