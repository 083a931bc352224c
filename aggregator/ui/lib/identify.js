// What somebody put into the one box: an ID, a line of a log, or a query. IDs are found as the agent finds them, roughly; whether a
// record carries one the aggregator knows, and is asked.

/** Spellings that nothing else looks like. */
const SPELLINGS = [
  /\b[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b/gi,
  /\b(1-[0-9a-f]{8}-[0-9a-f]{24})\b/gi,
  /\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b/gi,
  /(?<![0-9a-z-])([0-9a-f]{32})(?![0-9a-z-])/gi,
];
const NAMED =
  /(?:trace[._-]?id|transaction[._-]?id|request[._-]?id|x-request-id|correlation[._-]?id|txn|x-b3-traceid|req[._-]?id)["']?\s*[:=]\s*["']?([A-Za-z0-9][\w.:-]{5,127})/gi;
const SHORT = /(?<![0-9a-z-])([0-9a-f]{16})(?![0-9a-z-])/gi;
const SPRING = /\[[\w.-]*,([0-9a-f]{16,32}),[0-9a-f]{16}/gi;

/** @param {string} id */
const isNothing = (id) => /^[0-]*$/.test(id);

/**
 * The IDs that a text holds, the likeliest first.
 * @param {string} text
 */
export function candidates(text) {
  const found = new Set();
  for (const form of [...SPELLINGS.slice(0, 1), NAMED, SPRING, ...SPELLINGS.slice(1), SHORT]) {
    for (const match of text.matchAll(form)) {
      const id = match[1].replace(/[.:-]+$/, "");
      if (!isNothing(id)) found.add(id);
      if (found.size >= 12) return [...found];
    }
  }
  return [...found];
}

/**
 * @param {string} input
 * @returns {{kind: "nothing"} | {kind: "id", id: string} | {kind: "maybe", id: string} | {kind: "line", ids: string[]} | {kind: "query"}}
 */
export function identify(input) {
  const text = input.trim();
  if (text === "") return { kind: "nothing" };
  const address = /^https?:\/\/[^\s]+\/t\/([^\s/?#]+)/.exec(text);
  if (address) return { kind: "id", id: decodeURIComponent(address[1]) };
  const asTerm = /^(?:txn|trace_?id):"?([\w.:-]+)"?$/i.exec(text);
  if (asTerm) return { kind: "id", id: asTerm[1] };
  const ids = candidates(text);
  if (!/\s/.test(text)) {
    if (ids.length === 1 && ids[0].length >= text.length - 36 && !/[{=]/.test(text)) return { kind: "id", id: ids[0] };
    if (/^\d{15,20}$/.test(text)) return { kind: "id", id: text };
    // One word with a digit in it may be an ID of a form that is known to its owner alone.
    if (ids.length === 0 && /^[A-Za-z0-9][\w.-]{5,127}$/.test(text) && /\d/.test(text)) return { kind: "maybe", id: text };
  }
  if (ids.length > 0 && !isQuery(text)) return { kind: "line", ids };
  return { kind: "query" };
}

/**
 * Does it look like a query that happens to hold an ID? Lines of logs have times, braces or key=value pairs.
 * @param {string} text
 */
function isQuery(text) {
  if (/^\s*\{|\d\d:\d\d:\d\d|[\w.]+=\S/.test(text)) return false;
  return /(^|[\s(])[-!]?[A-Za-z_@][\w.@]*:\S/.test(text) || /\s(AND|OR|NOT)\s/.test(text);
}
