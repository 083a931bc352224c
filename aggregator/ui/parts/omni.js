// The one box: an ID goes to its transaction, a line of a log to the transaction whose ID it carries, anything else to the search.
import { html, classes } from "../lib/html.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { ask, Problem, transactionPath } from "../lib/api.js";
import { identify } from "../lib/identify.js";
import { quoted } from "../lib/query.js";
import { navigate } from "../lib/router.js";
import { bounded, visible } from "../lib/text.js";
import * as icons from "./icons.js";

/** @param {{large?: boolean}} props */
export function Omni({ large }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [unknown, setUnknown] = useState(/** @type {{line: string, ids: string[]} | null} */ (null));
  const [problem, setProblem] = useState("");
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const asking = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => {
    if (large && matchMedia("(pointer: fine)").matches) input.current?.focus({ preventScroll: true });
    return () => asking.current?.abort();
  }, []);

  const done = () => {
    setBusy(false);
    setUnknown(null);
    setText("");
  };
  /** @param {string} value */
  const go = async (value) => {
    asking.current?.abort();
    const controller = new AbortController();
    asking.current = controller;
    setUnknown(null);
    setProblem("");
    const what = identify(value);
    if (what.kind === "nothing") return;
    if (what.kind === "id") {
      done();
      return navigate(`/t/${encodeURIComponent(what.id)}`);
    }
    if (what.kind === "query") {
      done();
      return navigate(`/search?${new URLSearchParams({ q: value.trim() })}`);
    }
    setBusy(true);
    const ids = what.kind === "line" ? what.ids : [what.id];
    try {
      for (const id of ids) {
        if (await isKnown(id, controller.signal)) {
          done();
          return navigate(`/t/${encodeURIComponent(id)}`);
        }
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      setBusy(false);
      return setProblem(/** @type {Error} */ (error).message);
    }
    setBusy(false);
    if (what.kind === "maybe") {
      done();
      return navigate(`/search?${new URLSearchParams({ q: quoted(what.id) })}`);
    }
    setUnknown({ line: value.trim(), ids });
  };
  return html`<div class=${classes("omni", large && "large")} role="search">
    <form onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      void go(text);
    }}>
      <${icons.Search} />
      <input ref=${input} data-box type="text" value=${text} aria-label="An ID, a log line or a query" placeholder=${large ? "Paste an ID or a log line, or type a query" : "ID, log line or query"} autocomplete="off" autocapitalize="off" spellcheck=${false} enterkeyhint="go"
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
        onPaste=${(/** @type {ClipboardEvent} */ event) => {
          // A field of one line would drop the line feeds of a pasted stack trace; what is looked for is in there.
          const pasted = event.clipboardData?.getData("text") ?? "";
          if (!pasted.includes("\n")) return;
          event.preventDefault();
          setText(bounded(pasted.trim().replace(/\s*\n\s*/g, " "), 16_000));
        }}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Escape") return;
          setUnknown(null);
          setProblem("");
          if (text === "") input.current?.blur();
          setText("");
        }} />
      ${large ? html`<button class="button primary" type="submit" disabled=${busy} aria-label="Find">${busy ? "Looking…" : html`<span>Find</span><${icons.Right} />`}</button>` : html`<kbd class="hide-small" aria-hidden="true">/</kbd>`}
    </form>
    <div role="status">
      ${problem && html`<div class="answer is-error">${problem}</div>`}
      ${unknown && html`<div class="answer stack">
        <p><strong>No record carries an ID of this line.</strong> <span class="dim">Found in it:</span></p>
        <ul>${unknown.ids.slice(0, 5).map((id) => html`<li><a href=${`/t/${encodeURIComponent(id)}`} class="mono">${visible(bounded(id, 80))}</a></li>`)}</ul>
        <p><a href=${`/search?${new URLSearchParams({ q: quoted(bounded(unknown.line, 2000)) })}`}>Search for the line as text</a></p>
      </div>`}
    </div>
  </div>`;
}

/** @param {string} id @param {AbortSignal} signal */
async function isKnown(id, signal) {
  try {
    await ask(transactionPath(id), { limit: 1 }, signal);
    return true;
  } catch (error) {
    if (error instanceof Problem && (error.status === 404 || error.status === 400)) return false;
    throw error;
  }
}
