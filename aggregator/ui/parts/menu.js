// A button with a list that opens below it, a dialog, a message that goes by itself, and copying.
import { html, classes } from "../lib/html.js";
import { useEffect, useId, useRef, useState } from "../vendor/hooks.js";
import * as icons from "./icons.js";

/** @param {{label: any, title?: string, left?: boolean, quiet?: boolean, children: any, kind?: string}} props children: a function of `close`, or nodes */
export function Menu({ label, title, left, children, kind = "" }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const close = () => {
    setOpen(false);
    element.current?.querySelector("button")?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const outside = (/** @type {Event} */ event) => {
      if (!(event.target instanceof Node) || !element.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    /** @type {HTMLElement | null | undefined} */ (element.current?.querySelector(".pop button, .pop a, .pop input, .pop select"))?.focus();
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      close();
      return;
    }
    if (!open || (event.key !== "ArrowDown" && event.key !== "ArrowUp") || event.target instanceof HTMLSelectElement) return;
    const items = /** @type {HTMLElement[]} */ ([...(element.current?.querySelectorAll(".pop .item") ?? [])]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % items.length]?.focus();
    event.preventDefault();
  };
  return html`<div class=${classes("menu", left && "left")} ref=${element} onKeyDown=${keys}>
    <button type="button" class=${`button ${kind}`} aria-expanded=${open} aria-controls=${open ? id : undefined} title=${title} onClick=${() => setOpen(!open)}>${label}<${icons.Down} /></button>
    ${open && html`<div class="pop" id=${id}>${typeof children === "function" ? children(close) : children}</div>`}
  </div>`;
}

/** @param {{title: string, onClose: () => void, children: any}} props */
export function Dialog({ title, onClose, children }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return html`<dialog ref=${element} aria-label=${title} onClose=${onClose} onClick=${(/** @type {Event} */ event) => event.target === element.current && element.current?.close()}>
    <header><h2 class="grow">${title}</h2><button type="button" class="button quiet icon" aria-label="Close" onClick=${() => element.current?.close()}><${icons.Close} /></button></header>
    <div class="body" tabindex="0">${children}</div>
  </dialog>`;
}

/** @type {(text: string) => void} */
let say = () => {};

/** Says something for a moment. @param {string} text */
export const toast = (text) => say(text);

/** Where `toast` is shown. */
export function Toasts() {
  const [text, setText] = useState("");
  useEffect(() => {
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    say = (text) => {
      setText(text);
      clearTimeout(timer);
      timer = setTimeout(() => setText(""), 2200);
    };
  }, []);
  return html`<div role="status" aria-live="polite">${text && html`<div class="toast">${text}</div>`}</div>`;
}

/**
 * @param {string} text
 * @param {string} what it is, for the message
 */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    // Over plain HTTP from another host a browser has no clipboard for pages.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    toast(done ? `${what} copied` : "The browser did not let us copy");
  }
}
