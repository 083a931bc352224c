// Writes aggregator/ui/vendor from the packages in node_modules, or says with --check whether it is what they give.
// Browsers know no bare names without an import map, and an import map would be an inline script: names become paths.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../aggregator/ui/vendor");

/** @param {string} path */
const of = (path) => readFileSync(join(here, "node_modules", path), "utf8");

/** @param {string} name */
const head = (name) => {
  const { version, license } = JSON.parse(of(`${name}/package.json`));
  return `/* ${name} ${version}, ${license}: see LICENSE.${name}. Written by tests/browser/vendor.mjs, not by hand. */\n`;
};

/** @param {string} text */
const module = (text) =>
  text
    .replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n")
    .replace(/from\s*"preact"/g, 'from"./preact.js"');

/** @type {Record<string, string>} */
const files = {
  "preact.js": head("preact") + module(of("preact/dist/preact.mjs")),
  "hooks.js": head("preact") + module(of("preact/hooks/dist/hooks.mjs")),
  "htm.js": head("htm") + module(of("htm/dist/htm.mjs")),
  "uplot.js": head("uplot") + of("uplot/dist/uPlot.iife.min.js").trimEnd() + "\nexport default uPlot;\n",
  "uplot.css": head("uplot") + of("uplot/dist/uPlot.min.css").trimEnd() + "\n",
  "LICENSE.preact": of("preact/LICENSE"),
  "LICENSE.htm": of("htm/LICENSE"),
  "LICENSE.uplot": of("uplot/LICENSE"),
};

let differs = 0;
for (const [name, text] of Object.entries(files)) {
  const path = join(target, name);
  if (process.argv.includes("--check")) {
    let there = "";
    try {
      there = readFileSync(path, "utf8");
    } catch {}
    if (there !== text) {
      differs += 1;
      console.error(`${path} is not what npm has; write it anew with: npm run vendor`);
    }
  } else {
    writeFileSync(path, text);
  }
}
process.exit(differs === 0 ? 0 : 1);
