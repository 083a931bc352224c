// uPlot in the page's colours. The library comes when the first chart is shown; a chart is drawn anew when theme or size change.
import { html } from "../lib/html.js";
import { useEffect, useRef } from "../vendor/hooks.js";
import { useSize } from "../lib/use.js";
import { resolved } from "../lib/tint.js";

/** @type {Promise<any> | null} */
let library = null;

/** Has library and stylesheet loaded, once. */
const load = () =>
  (library ??= new Promise((done, failed) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("../vendor/uplot.css", import.meta.url).href;
    document.head.append(style);
    import("../vendor/uplot.js").then((module) => done(module.default), failed);
  }));

/** @param {string} name */
export const colour = (name) => resolved(`var(--${name})`);

/**
 * Has a finger mark a range of time, as the pointer does; up and down it scrolls the page.
 * @param {any} plot
 */
export function brushByTouch(plot) {
  const over = /** @type {HTMLElement} */ (plot.over);
  over.style.touchAction = "pan-y";
  /** @type {number | null} */
  let begin = null;
  const at = (/** @type {PointerEvent} */ event) => Math.max(0, Math.min(over.clientWidth, event.clientX - over.getBoundingClientRect().left));
  /** @param {PointerEvent} event @param {boolean} done */
  const mark = (event, done) => {
    const [left, right] = [Math.min(begin ?? 0, at(event)), Math.max(begin ?? 0, at(event))];
    plot.setSelect({ left, width: right - left, top: 0, height: over.clientHeight }, done && right - left > 10);
    if (done && right - left <= 10) plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  };
  over.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse") begin = at(event);
  });
  over.addEventListener("pointermove", (event) => begin !== null && mark(event, false));
  over.addEventListener("pointerup", (event) => {
    if (begin !== null) mark(event, true);
    begin = null;
  });
  over.addEventListener("pointercancel", () => {
    begin = null;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  });
}

/**
 * @param {{
 *   build: (uPlot: any, size: {width: number, height: number}) => {options: any, data: any}, depends: unknown[], height: number, label: string,
 * }} props `build` is called again when something of `depends` changes; `label` says in words what is drawn
 */
export function Chart({ build, depends, height, label }) {
  const [element, size] = useSize();
  const latest = useRef(build);
  latest.current = build;
  useEffect(() => {
    if (size.width === 0) return;
    /** @type {any} */
    let plot = null;
    let ended = false;
    const draw = async () => {
      const uPlot = await load();
      if (ended) return;
      plot?.destroy();
      const { options, data } = latest.current(uPlot, { width: size.width, height });
      plot = new uPlot({ width: size.width, height, ...options }, data, element.current);
    };
    void draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      ended = true;
      dark.removeEventListener("change", draw);
      themes.disconnect();
      plot?.destroy();
    };
  }, [size.width, height, ...depends]);
  return html`<div class="plot" ref=${element} role="img" aria-label=${label} style=${{ height: `${height}px` }}></div>`;
}
