// The box for a query: completes names of fields and their values, and underlines what the aggregator cannot read.
import { html, classes } from "../lib/html.js";
import { useEffect, useId, useRef, useState } from "../vendor/hooks.js";
import { ask, Problem } from "../lib/api.js";
import { fieldName, quoted } from "../lib/query.js";
import { inRow, visible } from "../lib/text.js";
import { count } from "../lib/format.js";
import { upper, withCode } from "./states.js";
import * as icons from "./icons.js";

/** @typedef {{insert: string, label: string, hint: string, goesOn: boolean}} Option */

/**
 * @param {{
 *   q: string, onRun: (q: string) => void, problem: Error | null, fields: import("../types.js").FieldsAnswer | null,
 *   range: {from: string, to: string},
 * }} props
 */
export function QueryBox({ q, onRun, problem, fields, range }) {
  const [text, setText] = useState(q);
  const [options, setOptions] = useState(/** @type {{list: Option[], before: string} | null} */ (null));
  const [chosen, setChosen] = useState(-1);
  const [left, setLeft] = useState(0);
  /** What is chosen, by its label: it stays chosen in a list that comes after it. */
  const picked = useRef("");
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const asking = useRef(new AbortController());
  const id = useId();
  useEffect(() => setText(q), [q]);
  useEffect(() => () => asking.current.abort(), []);

  const wrong = problem instanceof Problem && problem.answer.position && text === q ? problem.answer : null;
  const span = wrong?.position ? { begin: charAt(q, wrong.position.begin), end: charAt(q, wrong.position.end) } : null;

  /** @param {Option[]} list @param {string} before what stands before that which one of them replaces */
  const offer = (list, before) => {
    setChosen(list.findIndex((option) => option.label === picked.current));
    setOptions(list.length > 0 ? { list, before } : null);
  };
  /** @param {string} value @param {number} caret */
  const complete = async (value, caret) => {
    asking.current.abort();
    const { signal } = (asking.current = new AbortController());
    const found = tokenAt(value, caret);
    if (!found) return setOptions(null);
    const { begin, name, part } = found;
    if (part === null) {
      const names = [...new Set([...(fields?.built_in ?? ["service", "level", "host", "file", "txn", "time"]).filter((name) => !name.includes("NAME")), ...(fields?.fields ?? []).map((field) => field.name)])];
      const lower = name.toLowerCase();
      const fitting = names.filter((one) => one.toLowerCase().includes(lower)).sort((one, other) => Number(other.toLowerCase().startsWith(lower)) - Number(one.toLowerCase().startsWith(lower))).slice(0, 12);
      const list = fitting.filter((one) => one !== name || lower === "").map((one) => {
        const known = fields?.fields.find((field) => field.name === one);
        return { insert: `${fieldName(one)}:`, label: one, hint: known ? known.samples.slice(0, 2).map((sample) => inRow(sample, 24)).join(", ") : "field", goesOn: true };
      });
      return offer(name !== "" || value.trim() === "" ? list : [], value.slice(0, begin));
    }
    if (/^[<>[{(/]/.test(part)) return setOptions(null);
    try {
      const answer = /** @type {import("../types.js").FacetsAnswer} */ (await ask("/api/v1/logs/facets", { ...range, q: "", fields: name, limit: 200, timeout: "800ms" }, signal));
      if (signal.aborted) return;
      const lower = part.replace(/^"/, "").toLowerCase();
      const list = (answer.facets[0]?.values ?? []).filter(({ value }) => value.toLowerCase().includes(lower) && value.length < 200).slice(0, 12)
        .map(({ value, records }) => ({ insert: `${quoted(value)} `, label: inRow(value, 80), hint: count(records), goesOn: false }));
      offer(list, value.slice(0, begin + value.slice(begin).indexOf(":") + 1));
    } catch {
      setOptions(null);
    }
  };
  /** @param {Option} option */
  const take = (option) => {
    // Somebody may have typed on since the list was asked for: what stands up to the caret is replaced.
    if (!options || !text.startsWith(options.before)) return setOptions(null);
    const end = Math.max(options.before.length, input.current?.selectionStart ?? text.length);
    const value = options.before + option.insert + text.slice(end).replace(/^ /, "");
    const caret = options.before.length + option.insert.length;
    picked.current = "";
    setText(value);
    setOptions(null);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(caret, caret);
      if (option.goesOn) void complete(value, caret);
    });
  };
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    const list = options?.list ?? [];
    if (list.length > 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? (chosen + 1) % list.length : chosen <= 0 ? list.length - 1 : chosen - 1;
      picked.current = list[next].label;
      setChosen(next);
    } else if (event.key === "Tab" && list.length > 0 && !event.shiftKey && chosen >= 0) {
      event.preventDefault();
      take(list[chosen]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (chosen >= 0 && list[chosen]) return take(list[chosen]);
      asking.current.abort();
      setOptions(null);
      onRun(text.trim());
    } else if (event.key === "Escape") {
      if (options) setOptions(null);
      else input.current?.blur();
    } else if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      void complete(text, input.current?.selectionStart ?? text.length);
    }
  };
  return html`<div class="query">
    <div class=${classes("box", span && "wrong")}>
      <${icons.Search} />
      <div class="typed">
        ${span && html`<div class="underline" aria-hidden="true" style=${{ transform: `translateX(${-left}px)` }}>${q.slice(0, span.begin)}<u>${q.slice(span.begin, Math.max(span.end, span.begin + 1)) || " "}</u></div>`}
        <input ref=${input} data-box type="text" role="combobox" aria-label="Query" aria-autocomplete="list" aria-expanded=${Boolean(options)} aria-controls=${`${id}-options`}
          aria-activedescendant=${options && chosen >= 0 ? `${id}-${chosen}` : undefined} aria-invalid=${span ? "true" : undefined} aria-describedby=${span ? `${id}-wrong` : undefined}
          value=${text} placeholder='Words, "a phrase", service:checkout, level:>=warn, status:[500 TO 599] …' autocomplete="off" autocapitalize="off" spellcheck=${false} enterkeyhint="search"
          onInput=${(/** @type {any} */ event) => {
            picked.current = "";
            setChosen(-1);
            setText(event.currentTarget.value);
            void complete(event.currentTarget.value, event.currentTarget.selectionStart ?? 0);
          }}
          onScroll=${(/** @type {any} */ event) => setLeft(event.currentTarget.scrollLeft)}
          onBlur=${() => setTimeout(() => setOptions(null), 150)}
          onKeyDown=${keys} />
      </div>
      ${text !== "" && html`<button type="button" class="button quiet icon small" aria-label="Empty the query" onClick=${() => {
        setText("");
        onRun("");
        input.current?.focus();
      }}><${icons.Close} /></button>`}
      <button type="button" class="button primary small" onClick=${() => {
        setOptions(null);
        onRun(text.trim());
      }}>Search</button>
    </div>
    ${span && wrong && html`<p class="said" id=${`${id}-wrong`} role="alert">${withCode(upper(wrong.detail ?? "this query cannot be read"))}${wrong.hint ? html` <em>${withCode(upper(wrong.hint))}</em>` : ""}</p>`}
    <ul class="options" id=${`${id}-options`} role="listbox" aria-label="What may follow" hidden=${!options}>${options?.list.map((option, index) => html`<li key=${option.label} id=${`${id}-${index}`} role="option" aria-selected=${index === chosen}
      onPointerDown=${(/** @type {Event} */ event) => {
        event.preventDefault();
        take(option);
      }}><span class="mono clip">${visible(option.label)}</span><span class="hint">${visible(option.hint)}</span></li>`)}</ul>
  </div>`;
}

/**
 * What is being typed at the caret: the name of a field, or behind its colon a part of a value.
 * @param {string} text
 * @param {number} caret
 */
function tokenAt(text, caret) {
  const before = text.slice(0, caret);
  // Within quotes nothing is completed, but for a value that begins with them.
  const quotes = (before.match(/(?<!\\)"/g) ?? []).length;
  const found = /(?:^|[\s(])([-!]?)([\w.@-]*)(?::("?[^\s"()]*))?$/.exec(before);
  if (!found || (quotes % 2 === 1 && !found[3]?.startsWith('"'))) return null;
  const begin = before.length - found[0].length + (/^[\s(]/.test(found[0]) ? 1 : 0) + found[1].length;
  return { begin, name: found[2], part: found[3] ?? null };
}

const encoder = new TextEncoder();

/**
 * The character at a byte: the aggregator counts a query's bytes, a browser half the bytes of UTF-16.
 * @param {string} text
 * @param {number} byte
 */
function charAt(text, byte) {
  let bytes = 0;
  let index = 0;
  for (const character of text) {
    if (bytes >= byte) return index;
    bytes += encoder.encode(character).length;
    index += character.length;
  }
  return index;
}
