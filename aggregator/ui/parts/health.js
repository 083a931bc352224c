// How an agent is, in a word.

/** More than this behind is worth a look. */
const BEHIND_NS = 30e9;

/**
 * @param {import("../types.js").Agent} agent
 * @returns {{level: "good" | "warn" | "error" | "", word: string}}
 */
export function health(agent) {
  if (agent.retired) return { level: "", word: "retired" };
  if (!agent.connected) return { level: "error", word: "not connected" };
  if (agent.sources.some((source) => source.gaps.length > 0 || source.gap_bytes > 0)) return { level: "warn", word: "lost bytes" };
  if (agent.behind_ns == null) return { level: "warn", word: "reads its files for the first time" };
  if (agent.behind_ns > BEHIND_NS) return { level: "warn", word: "is behind" };
  return { level: "good", word: "ships" };
}
