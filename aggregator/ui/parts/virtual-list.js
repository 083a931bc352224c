// A list of any length, of which only the rows in sight exist. All rows are of one height. Browsers cannot lay out an element of
// tens of millions of pixels: above HEIGHT_MAX the scroll bar stands for more than a pixel a pixel.
import { html } from "../lib/html.js";
import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { useSize } from "../lib/use.js";

const HEIGHT_MAX = 8_000_000;
const OVERSCAN = 12;

/**
 * @typedef {{reveal: (index: number, where?: "near" | "center" | "start") => void, focus: () => void, move: (rows: number) => void}} Handle
 * @param {{
 *   id: string, label: string, count: number, rowHeight: number, selected: number, handle: {current: Handle | null},
 *   row: (index: number, properties: object) => any, onSelect: (index: number) => void, onOpen: (index: number) => void,
 *   passes?: (index: number) => boolean, onRange?: (first: number, last: number) => void, follow?: boolean, onScroll?: (atEnd: boolean) => void,
 * }} props `row` puts the properties on its outermost element; `follow` keeps the end in sight;
 *   rows that `passes` holds for are moved over
 */
export function VirtualList({ id, label, count, rowHeight, selected, handle, row, onSelect, onOpen, onRange, follow, onScroll, passes }) {
  const [element, size] = useSize();
  const [top, setTop] = useState(0);
  const total = count * rowHeight;
  const laidOut = Math.min(total, HEIGHT_MAX);
  const scrollable = Math.max(1, laidOut - size.height);
  const scale = total > HEIGHT_MAX ? (total - size.height) / scrollable : 1;
  const virtualTop = Math.max(0, Math.min(top * scale, total - size.height));
  const first = Math.max(0, Math.floor(virtualTop / rowHeight) - OVERSCAN);
  const last = Math.min(count, Math.ceil((virtualTop + size.height) / rowHeight) + OVERSCAN);

  const seen = useRef({ first: -1, last: -1 });
  useEffect(() => {
    if (!onRange || size.height === 0) return;
    const begin = Math.floor(virtualTop / rowHeight);
    const end = Math.min(count, Math.ceil((virtualTop + size.height) / rowHeight));
    if (seen.current.first === begin && seen.current.last === end) return;
    seen.current = { first: begin, last: end };
    onRange(begin, end);
  });

  useLayoutEffect(() => {
    const scroller = element.current;
    if (follow && scroller) scroller.scrollTop = scroller.scrollHeight;
  }, [follow, count, size.height]);

  /** @param {number} index @param {"near" | "center" | "start"} where */
  const reveal = (index, where = "near") => {
    const scroller = element.current;
    if (!scroller) return;
    const height = scroller.clientHeight;
    const begin = index * rowHeight;
    const current = scroller.scrollTop * scale;
    let wanted = current;
    if (where === "center") wanted = begin - height / 2 + rowHeight / 2;
    else if (where === "start") wanted = begin;
    else if (begin < current) wanted = begin - rowHeight;
    else if (begin + rowHeight > current + height) wanted = begin + 2 * rowHeight - height;
    if (wanted !== current) scroller.scrollTop = Math.max(0, wanted) / scale;
  };
  /** @param {number} rows */
  const move = (rows) => {
    if (count === 0) return;
    const from = selected < 0 ? (rows > 0 ? Math.floor(virtualTop / rowHeight) - 1 : Math.floor(virtualTop / rowHeight) + 1) : selected;
    let to = Math.max(0, Math.min(count - 1, from + rows));
    const step = Math.sign(rows);
    while (passes?.(to) && to + step >= 0 && to + step < count) to += step;
    onSelect(to);
    reveal(to);
  };
  handle.current = { reveal, move, focus: () => element.current?.focus({ preventScroll: true }) };

  /** @param {KeyboardEvent} event */
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(size.height / rowHeight) - 1);
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -count, End: count });
    if (event.key in steps) move(steps[event.key]);
    else if (event.key === "Enter" && selected >= 0) onOpen(selected);
    else return;
    event.preventDefault();
  };

  const rows = [];
  for (let index = first; index < last; index += 1) {
    rows.push(row(index, {
      key: index,
      id: `${id}-${index}`,
      role: "option",
      "aria-selected": index === selected,
      "aria-setsize": count,
      "aria-posinset": index + 1,
      onClick: () => {
        // Somebody who marks text does not mean to open it.
        if (getSelection()?.isCollapsed === false) return;
        onSelect(index);
        onOpen(index);
      },
    }));
  }
  const offset = scale === 1 ? first * rowHeight : top - (virtualTop - first * rowHeight);
  return html`<div class="list" ref=${element} id=${id} role="listbox" tabindex="0" aria-label=${label}
    aria-activedescendant=${selected >= first && selected < last ? `${id}-${selected}` : undefined}
    onKeyDown=${keys}
    onScroll=${(/** @type {Event} */ event) => {
      const scroller = /** @type {HTMLElement} */ (event.currentTarget);
      setTop(scroller.scrollTop);
      onScroll?.(scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - rowHeight);
    }}>
    <div role="presentation" style=${{ height: `${laidOut}px` }}></div>
    <div role="presentation" class="window" style=${{ transform: `translateY(${offset}px)` }}>${rows}</div>
  </div>`;
}
