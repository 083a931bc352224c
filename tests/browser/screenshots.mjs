// Pictures of every page, light and dark, over the demo shop, into deploy/screenshots.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, tab } from "./browser.mjs";
import { Shop, until } from "./house.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../deploy/screenshots");
mkdirSync(folder, { recursive: true });
const browser = await launch();
const shop = await Shop.open();
try {
  // Some minutes of traffic make lists and plots worth a look.
  const records = Number(process.env.SCREENSHOT_RECORDS ?? 6000);
  for (let ready = false; !ready; ) ready = await until("traffic", async () => (await shop.ask("/api/v1/status/storage")).records >= records).then(() => true, () => false);
  // One that failed late: with several services and silences in it.
  const { transactions } = await shop.ask("/api/v1/transactions?errors=true&sort=records&limit=1");
  const id = transactions[0]?.id ?? shop.id;
  /** @type {[string, string, ((page: import("playwright-core").Page) => Promise<void>)?][]} */
  const pages = [
    ["home", "/"],
    ["transaction", `/t/${id}`, async (page) => {
      await page.locator('#records [role="option"]').first().waitFor();
      await page.keyboard.press("n");
      await page.locator(".details").waitFor();
    }],
    ["compare", `/t/${id}?compare=1`],
    ["search", "/search?from=-5m"],
    ["tail", "/search?tail=1", async (page) => {
      await until("a screen of records", async () => (await page.locator('#results [role="option"]').count()) > 20);
    }],
    ["transactions", "/transactions?from=-5m"],
    ["services", "/services?from=-5m"],
    ["agents", "/agents"],
    ["storage", "/storage"],
  ];
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const [name, address, prepare] of pages) {
      const { page, close } = await tab(browser, shop.url, { colorScheme, viewport: { width: 1280, height: 800 } });
      await page.goto(address);
      await page.locator("main").locator("h1, h2").first().waitFor();
      await until("nothing that is still loading", async () => (await page.locator(".skeleton").count()) === 0);
      await prepare?.(page);
      await page.mouse.move(0, 0);
      await until("fonts and charts", async () => page.evaluate(async () => {
        await document.fonts.ready;
        return [...document.querySelectorAll(".chart .plot, .histogram .plot")].every((plot) => plot.querySelector("canvas"));
      }));
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`), caret: "initial" });
      await close();
    }
    const { page, close } = await tab(browser, shop.url, { colorScheme, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    await page.goto(`/t/${id}`);
    await page.locator('#records [role="option"]').first().waitFor();
    await page.screenshot({ path: join(folder, `phone-${colorScheme}.png`) });
    await close();
  }
} finally {
  await browser.close();
  await shop.close();
}
