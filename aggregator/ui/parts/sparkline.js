// A line without axes, for the shape of things. What it shows in numbers stands beside it.
import { html } from "../lib/html.js";

const WIDTH = 120;
const HEIGHT = 26;

/**
 * @param {{points: [number, number, number][], begin?: number, end?: number, interval?: number}} props time, records, errors; the times
 *   between which it reaches, and how far points are apart, since those without records are left out
 */
export function Sparkline({ points, begin, end }) {
  if (points.length === 0) return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true"></svg>`;
  const from = begin ?? points[0][0];
  const steps = points.slice(1).map((point, index) => point[0] - points[index][0]).filter((step) => step > 0);
  const step = steps.length > 0 ? Math.min(...steps) : 1;
  const to = Math.max(end ?? 0, points[points.length - 1][0] + step);
  const most = Math.max(1, ...points.map((point) => point[1]));
  const cells = Math.max(2, Math.min(240, Math.round((to - from) / step)));
  const values = new Array(cells).fill(0);
  const errors = new Array(cells).fill(0);
  for (const [time, records, bad] of points) {
    const cell = Math.max(0, Math.min(cells - 1, Math.floor(((time - from) / (to - from)) * cells)));
    values[cell] += records;
    errors[cell] += bad;
  }
  const x = (/** @type {number} */ cell) => ((cell + 0.5) / cells) * WIDTH;
  const y = (/** @type {number} */ value) => HEIGHT - 1 - (Math.min(value, most) / most) * (HEIGHT - 5);
  const line = values.map((value, cell) => `${cell === 0 ? "M" : "L"}${x(cell).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <path class="area" d=${`${line}L${x(cells - 1).toFixed(1)} ${HEIGHT}L${x(0).toFixed(1)} ${HEIGHT}Z`} />
    <path class="line" d=${line} />
    ${errors.map((bad, cell) => bad > 0 && html`<rect class="errors" x=${(x(cell) - 1).toFixed(1)} y=${HEIGHT - 4} width="2" height="4" />`)}
  </svg>`;
}
