// The page over log files that the tests write: agents that die, a hundred thousand records, and lines that mean harm.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, serious, tab } from "./browser.mjs";
import { House, PATIENCE_MS, until } from "./house.mjs";

/** @type {House} */
let house;
/** @type {import("playwright-core").Browser} */
let browser;

const OPEN = "0af7651916cd43dd8448eb211c80319c";
const HOSTILE = "5bd66ef5095369c7b0d1f8f4bd33716a";
const ALIKE = "7e57a11ce0000000000000000000000a";
const ALIKE_RECORDS = 20;
const LARGE = "a4f3c2d1e5b6978812345678abcdef01";
const LARGE_RECORDS = 100_000;
/** Each would do or show something else if it were taken for more than text. */
const HARM = [
  `<script>alert("script")</script><img src=x onerror="alert('image')">`,
  `</pre></div><style>body { display: none }</style><iframe src="javascript:alert(1)"></iframe>`,
  `&lt;b&gt; &amp; &#x3c;i&#x3e; "quotes' \${alert(1)} {{alert(1)}}`,
  `\u001b[31mred\u001b[0m bell\u0007 back\b\b\bspace nul\u0001`,
  `user \u202egnp.exe\u202c and zero\u200bwidth \ufeffmark \u2066isolate`,
  `javascript:alert(1) data:text/html,<script>alert(2)</script>`,
  `https://evil.example/x.png`,
];

before(async () => {
  browser = await launch();
  house = await House.open();
  const now = new Date(Date.now() - 60_000).toISOString();
  house.write("web-1", "front", [`${now} INFO trace_id=${OPEN} request in`]);
  house.write("pay-1", "payments", [`${now} ERROR trace_id=${OPEN} card declined`]);
  house.write("web-1", "harm", [
    ...HARM.map((line) => `${now} WARN trace_id=${HOSTILE} ${line}`),
    JSON.stringify({ time: now, level: "error", trace_id: HOSTILE, msg: "<b>bold</b>", "<img src=x onerror=alert(3)>": "<svg onload=alert(4)>", deep: { "__proto__": { polluted: "yes" }, constructor: "text" } }),
    `${now} INFO trace_id=${HOSTILE} huge ${"0123456789abcdef".repeat(12_000)} end`,
  ]);
  house.write("web-1", "again", Array.from({ length: ALIKE_RECORDS }, (_, at) => `${now} INFO trace_id=${ALIKE} try ${at} of the stock`));
  // Who calls whom, as spans say.
  for (let at = 0; at < 5; at += 1) {
    const of = (/** @type {string} */ span, /** @type {string} */ parent) => JSON.stringify({ time: now, level: "info", trace_id: `ca11${"0".repeat(27)}${at + 1}`, span_id: `${span}000000000000${at + 1}`, ...(parent === "" ? {} : { parent_span_id: `${parent}000000000000${at + 1}` }), msg: "called" });
    house.write("web-1", "door", [of("aaa", "")]);
    house.write("web-1", "desk", [of("bbb", "aaa")]);
    house.write("web-1", "vault", [of("ccc", "bbb")]);
  }
  const begin = Date.now() - 600_000;
  const services = ["reader", "mapper", "writer"];
  for (const [number, service] of services.entries()) {
    const lines = [];
    for (let at = number; at < LARGE_RECORDS; at += services.length) {
      lines.push(JSON.stringify({ time: new Date(begin + at * 5).toISOString(), level: at % 1000 === 7 ? "error" : at % 50 === 3 ? "warn" : "info", trace_id: LARGE, msg: `step ${at} of the batch`, shard: at % 16, took_ms: at % 97 }));
    }
    house.write("batch-1", service, lines);
  }
  for (const host of ["web-1", "pay-1", "batch-1"]) await house.agent(host);
});
after(async () => {
  await browser?.close();
  await house?.close();
});

test("an agent that is killed turns the verdict, and what it brings later is shown without a reload", async () => {
  await house.transaction(OPEN, 2);
  const { page, close } = await tab(browser, house.url);
  await page.goto(`/t/${OPEN}`);
  await page.getByText("Complete.").waitFor();
  await house.kill("pay-1");
  const time = new Date().toISOString();
  house.write("pay-1", "payments", [`${time} INFO trace_id=${OPEN} refunded in the end`]);
  house.write("web-1", "front", [`${time} INFO trace_id=${OPEN} answered 402`]);
  await house.transaction(OPEN, 3, "open");
  await page.reload();
  await page.getByText("Not complete yet.").waitFor();
  await page.getByRole("button", { name: "Why" }).click();
  await page.locator(".verdict .why").getByText(/pay-1/).first().waitFor();
  await page.getByText("live until settled").waitFor();
  assert.equal(await page.getByText("refunded in the end").count(), 0);
  await house.agent("pay-1");
  await page.getByText("refunded in the end").waitFor();
  await page.getByText("Complete.").waitFor();
  await until("not live any more", async () => (await page.getByText("live until settled").count()) === 0);
  await close();
});

test("who calls whom is drawn as spans say, from left to right", async () => {
  for (let at = 1; at <= 5; at += 1) await house.transaction(`ca11${"0".repeat(27)}${at}`, 3);
  const { page, close } = await tab(browser, house.url);
  await page.goto("/services");
  const graph = page.locator(".graph");
  for (const call of ["door → desk: 5 times, as spans say", "desk → vault: 5 times, as spans say"]) await graph.locator("title", { hasText: call }).waitFor({ state: "attached" });
  const lefts = [];
  for (const name of ["door", "desk", "vault"]) lefts.push((await graph.getByRole("link", { name: new RegExp(`^${name}`) }).locator("rect").first().boundingBox())?.x ?? 0);
  assert.ok(lefts[0] < lefts[1] && lefts[1] < lefts[2], lefts.join());
  await graph.getByRole("link", { name: /^vault/ }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/transactions?service=vault");
  await close();
});

test("an ID that has not come yet appears when it comes", async () => {
  const id = "1c1c1c1c2d2d2d2d3e3e3e3e4f4f4f4f";
  const { page, close, expect } = await tab(browser, house.url);
  expect(/status of 404/);
  await house.kill("pay-1");
  house.write("pay-1", "payments", [`${new Date().toISOString()} INFO trace_id=${id} late, but here`]);
  await page.goto(`/t/${id}`);
  await page.getByRole("heading", { name: "No record carries this ID" }).waitFor();
  await page.getByText(/It may still come: pay-1 is not connected/).waitFor();
  await house.agent("pay-1");
  await page.getByText("late, but here").waitFor();
  await close();
});

test("hostile lines are text: nothing runs, nothing is loaded, what is hidden is shown", async () => {
  const answer = await house.transaction(HOSTILE, HARM.length + 2);
  const { page, close } = await tab(browser, house.url);
  const { records } = await house.ask(`/api/v1/transactions/${HOSTILE}`);
  assert.equal(records.length, answer.summary.records);
  for (const address of [`/t/${HOSTILE}`, `/search?q=txn:${HOSTILE}&from=all`]) {
    await page.goto(address);
    const list = page.getByRole("listbox", { name: /Records/ });
    await list.getByRole("option").first().waitFor();
    for (const row of await list.getByRole("option").all()) {
      await row.click();
      const details = page.getByRole("complementary", { name: "Details of the record" });
      await details.waitFor();
      assert.ok((await details.locator("pre").innerText()).length < 20_000);
      assert.ok((await row.innerText()).length < 3_000);
    }
    const inside = await page.evaluate(() => ({
      foreign: document.querySelectorAll("main img, main iframe, main script, main style, main object, main b, main svg[onload]").length,
      polluted: "polluted" in {},
      width: document.documentElement.scrollWidth,
      elements: document.querySelectorAll("*").length,
    }));
    assert.deepEqual({ foreign: inside.foreign, polluted: inside.polluted }, { foreign: 0, polluted: false });
    assert.ok(inside.width <= 1440 && inside.elements < 6_000, JSON.stringify(inside));
    const text = (await list.getByRole("option").allInnerTexts()).join("\n");
    assert.ok(text.includes(HARM[0]), "markup is shown as it was written");
    assert.ok(text.includes("ESC[31m") && text.includes("bellBEL"), "control characters are shown");
    assert.ok(text.includes("U+202E") && text.includes("U+200B"), "characters that turn or hide text are shown");
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b\u0007\u001b]/.test(text), "and none of them is left");
  }
  await close();
});

test("a line that was copied is the line", async () => {
  await house.transaction(HOSTILE, HARM.length + 2);
  const { page, close } = await tab(browser, house.url, { permissions: ["clipboard-read", "clipboard-write"] });
  const { records } = await house.ask(`/api/v1/transactions/${HOSTILE}`);
  const huge = records.find((/** @type {any} */ record) => record.line.length > 100_000);
  await page.goto(`/t/${HOSTILE}?record=${huge.source_id}:${huge.position}`);
  await page.getByText(/are shown/).waitFor();
  await page.getByRole("button", { name: "Copy line" }).click();
  await page.getByText("Line copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), huge.line);
  await page.getByRole("button", { name: "Show all" }).click();
  await until("all of it", async () => (await page.locator(".details pre").innerText()) === huge.line);
  await close();
});

test("alike lines are one row, which says so and unfolds", async () => {
  await house.transaction(ALIKE, ALIKE_RECORDS);
  const { page, close } = await tab(browser, house.url, { bypassCSP: true });
  await page.goto(`/t/${ALIKE}`);
  const rows = page.getByRole("listbox", { name: "Records in order" }).getByRole("option");
  const fold = rows.filter({ hasText: `${ALIKE_RECORDS} alike` });
  await fold.filter({ hasText: "folded" }).waitFor();
  assert.equal(await rows.count(), 1);
  assert.deepEqual(await serious(page), []);
  await fold.click();
  await fold.filter({ hasText: "unfolded" }).waitFor();
  assert.equal(await rows.count(), 1 + ALIKE_RECORDS);
  assert.deepEqual(await serious(page), []);
  await close();
});

test("a hundred thousand records scroll, with few rows in the document", async (context) => {
  await house.transaction(LARGE, LARGE_RECORDS);
  const { page, close } = await tab(browser, house.url);
  await page.goto(`/t/${LARGE}`);
  const list = page.getByRole("listbox", { name: "Records in order" });
  await list.getByRole("option").first().waitFor();
  await page.getByRole("button", { name: "Load all" }).click();
  await page.locator(".foot").getByText("100,000 records", { exact: true }).waitFor({ timeout: 5 * PATIENCE_MS });
  // Frame by frame through all of it; each frame is drawn with rows, and how long they took is told, not judged.
  const scrolled = await list.evaluate(async (/** @type {HTMLElement} */ element) => {
    const frames = [];
    let least = Infinity;
    let most = 0;
    const steps = 120;
    for (let step = 0; step <= steps; step += 1) {
      element.scrollTop = (element.scrollHeight * step) / steps;
      const began = performance.now();
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      frames.push((performance.now() - began) / 2);
      const rows = element.querySelectorAll("[role=option]").length;
      least = Math.min(least, rows);
      most = Math.max(most, rows);
    }
    frames.sort((left, right) => left - right);
    return { least, most, median: frames[frames.length >> 1], slow: frames[Math.floor(frames.length * 0.95)] };
  });
  context.diagnostic(`a frame took ${scrolled.median.toFixed(1)} ms, 95 % less than ${scrolled.slow.toFixed(1)} ms; ${scrolled.most} rows at most`);
  assert.ok(scrolled.least > 5 && scrolled.most < 120, JSON.stringify(scrolled));
  assert.match(await list.getByRole("option").last().innerText(), /step 99999 of the batch|alike/);
  // From the lanes to the records, at the other end of time.
  await list.evaluate((/** @type {HTMLElement} */ element) => (element.scrollTop = 0));
  const plot = page.locator(".waterfall .plot");
  const area = await plot.boundingBox();
  assert.ok(area);
  await plot.click({ position: { x: area.width / 2, y: 40 } });
  const details = page.getByRole("complementary", { name: "Details of the record" });
  await details.waitFor();
  const [, step] = /step (\d+) of/.exec(await details.locator("pre").innerText()) ?? [];
  assert.ok(Math.abs(Number(step) - 50_000) < 1_000, `the middle of the lanes is step ${step}`);
  await until("it is in sight", () => list.locator('[aria-selected="true"]').isVisible());
  await close();
});
