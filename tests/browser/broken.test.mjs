// The page when something is wrong: an aggregator that stops, that fails, that is slow, whose answer is cut; and input that makes no sense.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, tab } from "./browser.mjs";
import { House, until } from "./house.mjs";

/** @type {House} */
let house;
/** @type {import("playwright-core").Browser} */
let browser;

const ID = "7c1d3a5b9e2f40618273a4b5c6d7e8f9";
const RECORDS = 700;

before(async () => {
  browser = await launch();
  house = await House.open();
  const begin = Date.now() - 300_000;
  house.write("web-1", "front", Array.from({ length: RECORDS }, (_, at) => `${new Date(begin + at * 100).toISOString()} INFO ${at % 100 === 0 ? `trace_id=${ID} ` : ""}step ${at}`));
  house.write("pay-1", "payments", [`${new Date(begin).toISOString()} ERROR trace_id=${ID} card declined`]);
  for (const host of ["web-1", "pay-1"]) await house.agent(host);
  await house.transaction(ID, 8);
});
after(async () => {
  await browser?.close();
  await house?.close();
});

test("an aggregator that stops: each page says so, keeps what it shows, and goes on when it is back", async () => {
  // Open, so that its page is told what comes in.
  await house.kill("pay-1");
  house.write("web-1", "front", [`${new Date().toISOString()} INFO trace_id=${ID} late`]);
  await house.transaction(ID, 9, "open");
  const tabs = await Promise.all(["/", "/agents", "/storage", `/t/${ID}`, "/search?tail=1"].map(async (address) => {
    const opened = await tab(browser, house.url);
    opened.expect(/Failed to load resource|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|ERR_SOCKET/);
    await opened.page.goto(address);
    return opened;
  }));
  const [home, agents, storage, transaction, tail] = tabs.map(({ page }) => page);
  await home.getByRole("region", { name: "Agents" }).getByRole("link", { name: "web-1" }).waitFor();
  await agents.getByRole("heading", { name: "web-1" }).waitFor();
  await storage.getByText("everything works").waitFor();
  await transaction.getByText("live until settled").waitFor();
  await tail.getByText("Waiting for records").waitFor();
  await house.stop();
  // A page that nobody looks at asks for nothing.
  for (const page of [home, agents, storage]) {
    await page.bringToFront();
    await page.getByText(/as it was at \d\d:\d\d:\d\d/).first().waitFor();
  }
  await home.getByRole("region", { name: "Agents" }).getByRole("link", { name: "web-1" }).waitFor();
  assert.equal(await storage.getByText("everything works").count(), 0);
  await transaction.bringToFront();
  await transaction.getByText("connection lost, trying again").waitFor();
  assert.ok((await transaction.getByRole("listbox", { name: "Records in order" }).getByRole("option").count()) > 0);
  await tail.bringToFront();
  await tail.getByRole("heading", { name: "Connection lost, trying again" }).waitFor();
  // What is asked for now is not there, and says so.
  const late = await tab(browser, house.url);
  late.expect(/Failed to load resource|ERR_CONNECTION/);
  await home.bringToFront();
  await home.getByRole("link", { name: "Search", exact: true }).click();
  await home.getByRole("alert").first().waitFor();
  await late.close();
  await house.start();
  await house.agent("pay-1");
  for (const page of [agents, storage]) {
    await page.bringToFront();
    await until("what it is now", async () => (await page.getByText(/as it was at/).count()) === 0);
  }
  await storage.getByText("everything works").waitFor();
  await transaction.bringToFront();
  await transaction.getByText("Complete.").waitFor();
  await until("no lost connection", async () => (await transaction.getByText("connection lost").count()) === 0);
  await tail.bringToFront();
  await tail.getByRole("heading", { name: "Live", exact: true }).waitFor();
  for (const { close } of tabs) await close();
});

test("what fails is said in the page, and can be tried again", async () => {
  const { page, close, expect } = await tab(browser, house.url);
  expect(/status of (500|502|503)|ERR_FAILED/);
  /** @type {[RegExp, (route: import("playwright-core").Route) => Promise<void>][]} */
  const failures = [
    [/status 502/, (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" })],
    [/The disk is on fire/, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ title: "store failed", status: 500, detail: "the disk is on fire" }) })],
    [/ended before it was whole/, (route) => route.fulfill({ status: 200, contentType: "application/json", body: '{"transactions": [{"id": "4bf9' })],
    [/does not answer/, (route) => route.abort()],
  ];
  for (const [number, address] of ["/", "/search", "/transactions", "/services", "/agents", "/storage", `/t/${ID}`].entries()) {
    const [says, fail] = failures[number % failures.length];
    await page.route("**/api/**", fail);
    await page.goto(address);
    await page.getByRole("alert").getByText(says).first().waitFor();
    assert.equal(await page.locator(".skeleton").count(), 0, address);
    await page.unroute("**/api/**");
    // Each part that failed has a button of its own.
    await until("all of it", async () => {
      const again = page.getByRole("alert").getByRole("button", { name: "Try again" });
      // It may go by itself while it is looked for: then it is asked for once more.
      if ((await again.count()) > 0) await again.first().click({ timeout: 2_000 });
      return (await page.getByRole("alert").count()) === 0;
    });
  }
  await close();
});

test("what takes long says so", async () => {
  const { page, close } = await tab(browser, house.url);
  let answer = () => {};
  const asked = new Promise((done) => (answer = () => done(undefined)));
  await page.route("**/api/v1/transactions/**", async (route) => {
    await asked;
    await route.continue();
  });
  await page.goto(`/t/${ID}`);
  await page.getByText("Loading the transaction takes longer than usual").waitFor();
  answer();
  await page.getByRole("listbox", { name: "Records in order" }).getByRole("option").first().waitFor();
  await close();
});

test("a search that breaks off keeps what it found, and goes on from there", async () => {
  const { page, close, expect } = await tab(browser, house.url);
  expect(/ERR_FAILED/);
  await page.route(/logs\/search.*cursor=/, (route) => route.abort());
  await page.goto("/search?q=step&from=all");
  const list = page.getByRole("listbox", { name: "Records found" });
  await list.getByRole("option").first().waitFor();
  await list.evaluate((/** @type {HTMLElement} */ list) => list.scrollTo(0, list.scrollHeight));
  await page.getByRole("alert").getByText(/does not answer/).waitFor();
  assert.ok((await list.getByRole("option").count()) > 0);
  await page.unroute(/logs\/search.*cursor=/);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText(`${RECORDS} records, that is all`).waitFor();
  await close();
});

test("input that makes no sense is answered in its place", async () => {
  const { page, close, expect } = await tab(browser, house.url);
  expect(/status of (400|404)/);
  for (const [address, says] of /** @type {[string, RegExp][]} */ ([
    ["/search?from=garbage", /from: /], ["/search?from=now&to=-1h", /to|from/], ["/search?q=(((", /.+/], ["/search?q=/(/", /.+/],
    ["/transactions?min_duration=abc", /min_duration: /], ["/services?from=garbage", /from: /],
  ])) {
    await page.goto(address);
    await page.getByRole("alert").getByText(says).first().waitFor();
    assert.equal(await page.getByRole("navigation").count(), 1, address);
  }
  await page.goto(`/t/${"x".repeat(3000)}`);
  await page.getByRole("heading").first().waitFor();
  await until("an end to the loading", async () => (await page.locator(".skeleton").count()) === 0);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  // Parameters that no page understands are passed over.
  await page.goto(`/t/${ID}?zoom=9-1&record=nonsense&level=loud&compare=2`);
  await page.locator("main").getByRole("heading").first().waitFor();
  await until("an end to the loading", async () => (await page.locator(".skeleton").count()) === 0);
  await close();
});
