// Where the services of a graph stand: from left to right, each as far to the right as the longest way to it. A call that passes over
// columns keeps a place of its own in each of them, so that no line runs through a service that it has nothing to do with.

export const BOX = { width: 168, height: 52 };
const GAP = { x: 96, y: 26 };
/** How high the place is that a passing line keeps. */
const LINE = 10;

/** @typedef {import("../types.js").Edge} Edge */
/** @typedef {{x: number, y: number}} Place */

/**
 * @param {Pick<import("../types.js").GraphAnswer, "services" | "edges">} graph
 * @returns {{places: Map<string, Place>, passes: Map<Edge, Place[]>, width: number, height: number}} places: the upper left corners of
 *   boxes; passes: where an edge enters each column that it passes over, and leaves it BOX.width further on
 */
export function laidOut(graph) {
  const column = new Map(graph.services.map((name) => [name, 0]));
  const forward = withoutCircles(graph);
  // The longest way to each: as many rounds as there are services settle it.
  for (let round = 0; round < graph.services.length; round += 1) {
    let changed = false;
    for (const edge of forward) {
      const wanted = (column.get(edge.from) ?? 0) + 1;
      if (wanted > (column.get(edge.to) ?? 0)) {
        column.set(edge.to, wanted);
        changed = true;
      }
    }
    if (!changed) break;
  }
  // When nobody is known to call anybody, they stand side by side.
  if (forward.length === 0) graph.services.forEach((name, number) => column.set(name, number % 4));

  /** What stands in a column: a service, or a line that passes. */
  /** @typedef {{name: string, edge: Edge | null, height: number, before: Slot[], y: number}} Slot */
  /** @type {Slot[][]} */
  const columns = [];
  /** @param {number} number @param {Slot} slot */
  const put = (number, slot) => {
    while (columns.length <= number) columns.push([]);
    columns[number].push(slot);
    return slot;
  };
  const slots = new Map(graph.services.map((name) => [name, put(column.get(name) ?? 0, { name, edge: null, height: BOX.height, before: [], y: 0 })]));
  for (const edge of forward) {
    let before = /** @type {Slot} */ (slots.get(edge.from));
    for (let number = (column.get(edge.from) ?? 0) + 1; number < (column.get(edge.to) ?? 0); number += 1) before = put(number, { name: edge.from, edge, height: LINE, before: [before], y: 0 });
    slots.get(edge.to)?.before.push(before);
  }

  const size = (/** @type {Slot[]} */ slots) => slots.reduce((sum, slot) => sum + slot.height + GAP.y, -GAP.y);
  const height = Math.max(BOX.height, ...columns.map(size)) + 2 * GAP.y;
  const middle = (/** @type {Slot} */ slot) => slot.y + slot.height / 2;
  /** @type {Map<string, Place>} */
  const places = new Map();
  /** @type {Map<Edge, Place[]>} */
  const passes = new Map();
  columns.forEach((slots, number) => {
    // Beside what leads to it: by the middle of those that stand to the left.
    const wanted = (/** @type {Slot} */ slot) => (slot.before.length === 0 ? height / 2 : slot.before.reduce((sum, before) => sum + middle(before), 0) / slot.before.length);
    let y = (height - size(slots)) / 2;
    for (const slot of [...slots].sort((left, right) => wanted(left) - wanted(right))) {
      slot.y = y;
      y += slot.height + GAP.y;
      const x = 12 + number * (BOX.width + GAP.x);
      if (slot.edge) passes.set(slot.edge, [...(passes.get(slot.edge) ?? []), { x, y: middle(slot) }]);
      else places.set(slot.name, { x, y: slot.y });
    }
  });
  return { places, passes, width: 24 + Math.max(1, columns.length) * (BOX.width + GAP.x) - GAP.x, height: height + 16 };
}

/**
 * Without the weakest edge of every circle.
 * @param {Pick<import("../types.js").GraphAnswer, "services" | "edges">} graph
 */
function withoutCircles(graph) {
  /** @type {Edge[]} */
  const kept = [];
  const reaches = (/** @type {string} */ from, /** @type {string} */ to) => {
    const seen = new Set([from]);
    const queue = [from];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (next === to) return true;
      for (const edge of kept) {
        if (edge.from !== next || seen.has(edge.to)) continue;
        seen.add(edge.to);
        queue.push(edge.to);
      }
    }
    return false;
  };
  for (const edge of [...graph.edges].sort((left, right) => right.support - left.support)) {
    if (edge.from !== edge.to && !reaches(edge.to, edge.from)) kept.push(edge);
  }
  return kept;
}
