// Asking the aggregator. Answers are JSON; what goes wrong is a problem of RFC 9457, and stays one up to the page that shows it.

/** What the aggregator, or the way to it, had to object. */
export class Problem extends Error {
  /** @param {import("../types.js").ProblemAnswer} answer */
  constructor(answer) {
    super(answer.detail ?? answer.title ?? "the request failed");
    this.answer = answer;
    this.status = answer.status ?? 0;
  }
}

/** @typedef {Record<string, string | number | boolean | null | undefined>} Parameters */

/**
 * @param {string} path
 * @param {Parameters} [parameters] those that are empty are left out
 */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value != null && value !== "" && value !== false) query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/**
 * @template T
 * @param {string} path
 * @param {Parameters} [parameters]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function ask(path, parameters = {}, signal) {
  const url = address(path, parameters);
  // A query may be longer than an address; the routes that take one take it in a body as well.
  const request = url.length < 6000
    ? new Request(url, { signal })
    : new Request(path, { signal, method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(typed(parameters)) });
  return answered(request, signal);
}

/**
 * Asks for a change.
 * @param {string} method
 * @param {string} path
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<any>}
 */
export const send = (method, path, body) => answered(new Request(path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) }));

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Calls back when the aggregator lets nobody read without a login; answers with how to end it.
 * @param {() => void} listener
 */
export function onLocked(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** A request was refused, or a stream, which has no way to say why: perhaps a login is over. */
export const locked = () => listeners.forEach((listener) => listener());

/**
 * @param {Request} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function answered(request, signal) {
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ title: "no answer", status: 0, detail: "the aggregator does not answer; is it running?" });
  }
  if (response.status === 401) locked();
  if (!response.ok) throw new Problem(await problemOf(response));
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ title: "answer cut off", status: 0, detail: "the answer ended before it was whole; ask again" });
  }
}

/** @param {Parameters} parameters */
const typed = (parameters) => Object.fromEntries(Object.entries(parameters).filter(([, value]) => value != null && value !== "" && value !== false));

/**
 * @param {Response} response
 * @returns {Promise<import("../types.js").ProblemAnswer>}
 */
async function problemOf(response) {
  try {
    const answer = await response.json();
    return { ...answer, status: response.status };
  } catch {
    // Not in the aggregator's words: something on the way to it, or it broke off.
    return { title: "no answer", status: response.status, detail: `asking for ${new URL(response.url).pathname} came to status ${response.status}${response.statusText === "" ? "" : ` (${response.statusText})`}` };
  }
}

/** @param {unknown} error */
export const isAborted = (error) => error instanceof DOMException && error.name === "AbortError";

/** @param {string} id */
export const transactionPath = (id) => `/api/v1/transactions/${encodeURIComponent(id)}`;
