// Small drawings. They say nothing that the text beside them does not say, so a screen reader leaves them out.
import { html } from "../lib/html.js";

/** @param {string} path @param {Record<string, string>} [more] */
const icon = (path, more = {}) => html`<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" ...${more}><path d=${path} /></svg>`;

/** The ball of thread. */
export const Mark = () => html`<svg width="22" height="22" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" aria-hidden="true">
  <circle cx="10.5" cy="10.5" r="8" />
  <path d="M4.2 6.4c4.2-.6 8.6 1.8 10.4 5.9M2.6 10.2c4-.3 7.7 1.9 9.3 5.6M6.9 3.4c4.5.3 8.9 3.4 10.7 7.9M10.5 18.5c5 1.8 8.6 1.5 11 3.3" />
</svg>`;

export const Search = () => icon("M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14");
export const Check = () => icon("m3.5 8.5 3 3 6-7");
export const Clock = () => icon("M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-9v3.2l2 1.3");
export const Alert = () => icon("M8 2.5 14.5 13.5h-13L8 2.5Zm0 4v3.2M8 11.7v.1");
export const Gap = () => icon("M2 8h3.5M10.5 8H14M6.5 5.5v5M9.5 5.5v5");
export const Archive = () => icon("M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 9h3");
export const Close = () => icon("m4 4 8 8M12 4l-8 8");
export const Copy = () => icon("M6 5.5h7v8H6zM10 5.5v-3H3v8h3");
export const Link = () => icon("M6.7 9.3a2.8 2.8 0 0 0 4 0l2-2a2.8 2.8 0 0 0-4-4l-.9.9M9.3 6.7a2.8 2.8 0 0 0-4 0l-2 2a2.8 2.8 0 0 0 4 4l.9-.9");
export const Download = () => icon("M8 2.5v8m-3-3 3 3 3-3M3 13.5h10");
export const Compare = () => icon("M5 13V6M8 13V3M11 13V8.5");
export const Plus = () => icon("M8 3.5v9M3.5 8h9");
export const Minus = () => icon("M3.5 8h9");
export const Sun = () => icon("M8 10.7A2.7 2.7 0 1 0 8 5.3a2.7 2.7 0 0 0 0 5.4ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9");
export const Moon = () => icon("M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z");
export const Auto = () => icon("M8 2a6 6 0 1 0 0 12ZM8 2a6 6 0 0 1 0 12");
export const Help = () => icon("M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.5M8 12v.1M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Z");
export const Down = () => icon("m4.5 6.5 3.5 3.5 3.5-3.5");
export const Right = () => icon("m6.5 4.5 3.5 3.5-3.5 3.5");
export const Pause = () => icon("M5.5 3.5v9M10.5 3.5v9");
export const Play = () => icon("M5 3.5v9l7-4.5-7-4.5Z");
export const Columns = () => icon("M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10");
export const Filter = () => icon("M2.5 3.5h11L9.5 8.5v4l-3 1v-5l-4-5Z");
export const Lines = () => icon("M3 4.5h10M3 8h10M3 11.5h6");
export const Thread = () => icon("M2 12c3 0 3-8 6-8s3 8 6 8");
export const Lock = () => icon("M4 7h8v6.5H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2M8 9.7v1.3");
export const Leave = () => icon("M9.5 3H3.5v10h6M7 8h7m-2.5-2.5L14 8l-2.5 2.5");
