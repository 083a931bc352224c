// The record whose details are open, and its name in the address: one follows the other.
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";
import { ask, isAborted } from "./api.js";

/** @typedef {import("../types.js").LogRecord} LogRecord */

/** @param {LogRecord} record */
export const placeOf = (record) => `${record.source_id}:${record.position}`;

/**
 * The record that is open. One that the address names and that nobody has opened here is asked for by itself: it may be far from what a
 * list has loaded, or no part of it.
 * @param {string} linked as the address names it; empty for none
 * @param {(record: LogRecord | null) => void} onChange puts another one into the address
 * @returns {[LogRecord | null, (record: LogRecord | null) => void]}
 */
export function useLinkedRecord(linked, onChange) {
  const [record, setRecord] = useState(/** @type {LogRecord | null} */ (null));
  const latest = useRef(onChange);
  latest.current = onChange;
  const open = useCallback((/** @type {LogRecord | null} */ record) => {
    setRecord(record);
    latest.current(record);
  }, []);
  const named = record ? placeOf(record) : "";
  useEffect(() => {
    if (linked === named) return;
    setRecord(null);
    const [, source, position] = /^([0-9a-f-]{32,36}):(\d+)$/.exec(linked) ?? [];
    if (!source) return;
    const controller = new AbortController();
    ask("/api/v1/logs/context", { source, position, before: "0", after: "0" }, controller.signal).then(
      (/** @type {import("../types.js").ContextAnswer} */ answer) => setRecord(answer.records.find((record) => placeOf(record) === linked) ?? null),
      (error) => {
        // A record that is gone is not there to be opened; the list says what there is.
        if (!isAborted(error)) setRecord(null);
      },
    );
    return () => controller.abort();
  }, [linked]);
  return [record, open];
}
