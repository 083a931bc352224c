// A colour for a service: the same everywhere on a page, and none that means something else (errors, warnings, complete).

/** Hue, lightness on white, lightness on black, chroma. Reds, ambers and greens are left out. */
const TINTS = /** @type {const} */ ([[255, 0.57, 0.7, 0.13], [190, 0.62, 0.76, 0.09], [318, 0.56, 0.7, 0.13], [112, 0.6, 0.72, 0.08], [285, 0.42, 0.6, 0.14], [225, 0.72, 0.82, 0.08], [350, 0.68, 0.78, 0.09], [45, 0.5, 0.6, 0.05]]);

/** @type {Map<string, number>} */
const given = new Map();

/**
 * Given in the order in which services are met, so that those of one transaction differ.
 * @param {string} service
 */
export function tint(service) {
  let number = given.get(service);
  if (number === undefined) {
    number = given.size;
    given.set(service, number);
  }
  const [hue, light, dark, chroma] = TINTS[number % TINTS.length];
  return `light-dark(oklch(${light} ${chroma} ${hue}), oklch(${dark} ${chroma} ${hue}))`;
}

/** @type {HTMLElement | null} */
let probe = null;

/**
 * A colour as a canvas takes it, of any CSS that stands for one.
 * @param {string} css
 */
export function resolved(css) {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = "";
  probe.style.color = css;
  return getComputedStyle(probe).color;
}
