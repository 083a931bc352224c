// Chromium, and pages that note everything that must not happen: errors, refused contents, requests that leave the host.
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { PATIENCE_MS } from "./house.mjs";

const executable = process.env.CLEW_CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

export const launch = () => chromium.launch({ executablePath: executable, args: ["--no-sandbox", "--disable-gpu"] });

/**
 * @typedef {{page: import("playwright-core").Page, wrong: string[], close: () => Promise<void>, expect: (form: RegExp) => void}} Tab
 * @param {import("playwright-core").Browser} browser
 * @param {string} url of the aggregator
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<Tab>} `close` fails when something happened that must not, but for what was expected
 */
export async function tab(browser, url, options = {}) {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  /** @type {string[]} */
  const wrong = [];
  /** @type {RegExp[]} */
  const expected = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("blob:")) wrong.push(`left the host: ${request.url()}`);
  });
  return {
    page, wrong,
    expect: (form) => void expected.push(form),
    close: async () => {
      await context.close();
      assert.deepEqual(wrong.filter((text) => !expected.some((form) => form.test(text))), []);
    },
  };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * What axe finds that is serious. It is put in by the debugger, which the page's policy does not hold back.
 * @param {import("playwright-core").Page} page
 */
export async function serious(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations"] });
    return violations.map((/** @type {any} */ { id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 4).map((/** @type {any} */ node) => `${node.target.join(" ")} ${node.failureSummary?.split("\n").slice(1, 3).join(" ")}`) }));
  });
  return found.filter((/** @type {any} */ { impact }) => impact === "serious" || impact === "critical");
}
