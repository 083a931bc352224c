// The page over the demo shop: what a person does first, by mouse and by keyboard alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, serious, tab } from "./browser.mjs";
import { Shop, until } from "./house.mjs";

/** @type {Shop} */
let shop;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  browser = await launch();
  shop = await Shop.open();
  // Enough for lists and charts to have something in them.
  await until("some traffic", async () => (await shop.ask("/api/v1/status/storage")).records > 1_500);
  // A checkout that failed late: at the payment, after most services had their part in it.
  const declined = await until("a declined card", async () => (await shop.ask("/api/v1/logs/search?q=service:payments+level:error+reason:*&limit=1")).records[0]);
  shop.id = declined.ids.find((/** @type {any} */ id) => id.kind === "trace").value;
  await until("all of it", async () => (await shop.ask(`/api/v1/transactions/${shop.id}`))?.completeness.state === "settled");
});
after(async () => {
  await browser?.close();
  await shop?.close();
});

/** @param {import("playwright-core").Page} page */
const box = (page) => page.getByRole("textbox", { name: "An ID, a log line or a query" });
/** @param {import("playwright-core").Page} page */
const rows = (page) => page.getByRole("listbox", { name: /Records/ }).getByRole("option");

describe("the one box", () => {
  test("an ID leads to its lanes and records", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/");
    await box(page).fill(shop.id);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/t/${shop.id}`);
    await page.getByText("Complete.").waitFor();
    const answer = await shop.ask(`/api/v1/transactions/${shop.id}`);
    assert.equal(await page.locator(".waterfall .name").count(), answer.lanes.length);
    for (const lane of answer.lanes) await page.locator(".waterfall .name", { hasText: lane.service }).first().waitFor();
    // Alike lines, of which a slow machine's retries have more, are rows of their own.
    const folds = page.getByRole("button", { name: "Folds" });
    if ((await folds.count()) > 0) await folds.click();
    await until("a row for each record", async () => (await rows(page).filter({ hasNotText: /of silence/ }).count()) === answer.records.length);
    // The lanes are drawn: their canvas is not of one colour, and what is red on it are the errors.
    const red = await page.locator(".waterfall canvas").evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
      const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
      let red = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > 190 && data[at + 1] < 90 && data[at + 2] < 90) red += 1;
      return red;
    });
    assert.ok(answer.summary.errors > 0 && red > 20, `${red} red pixels`);
    await close();
  });

  test("a pasted line of a log leads to the transaction whose ID it carries", async () => {
    const { page, close } = await tab(browser, shop.url);
    const { records } = await shop.ask(`/api/v1/transactions/${shop.id}`);
    const line = records.find((/** @type {any} */ record) => record.service === "payments").line;
    await page.goto("/agents");
    await box(page).fill(`   ${line}   `);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/t/${shop.id}`);
    await close();
  });

  test("a line whose IDs nobody knows says so, and offers them and the search", async () => {
    const { page, close, expect } = await tab(browser, shop.url);
    expect(/status of 404/);
    await page.goto("/");
    await box(page).fill("12:00:01 INFO trace_id=00000000000000000000000000abcdef done");
    await page.keyboard.press("Enter");
    await page.getByText("No record carries an ID of this line.").waitFor();
    await page.getByRole("link", { name: "00000000000000000000000000abcdef" }).click();
    await page.getByRole("heading", { name: "No record carries this ID" }).waitFor();
    await close();
  });

  test("a query leads to the search", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/");
    await box(page).fill("service:payments level:>=warn");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/search?q=service*");
    assert.equal(await page.getByRole("combobox", { name: "Query" }).inputValue(), "service:payments level:>=warn");
    await close();
  });
});

describe("a transaction", () => {
  test("zooms by dragging, and back", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto(`/t/${shop.id}`);
    const plot = page.locator(".waterfall .plot");
    await rows(page).first().waitFor();
    const area = await plot.boundingBox();
    assert.ok(area);
    await page.mouse.move(area.x + area.width * 0.5, area.y + 60);
    await page.mouse.down();
    await page.mouse.move(area.x + area.width * 0.9, area.y + 64, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/zoom=\d+-\d+/);
    await page.getByText(/s of \d/).waitFor();
    const [, begin, end] = /zoom=(\d+)-(\d+)/.exec(page.url()) ?? [];
    const { summary } = await shop.ask(`/api/v1/transactions/${shop.id}`);
    assert.ok(Math.abs((Number(end) - Number(begin)) / summary.duration_ns - 0.4) < 0.05, `${begin} to ${end} of ${summary.duration_ns}`);
    await page.getByRole("button", { name: "Fit" }).click();
    await until("no zoom", () => !page.url().includes("zoom="));
    await close();
  });

  test("filters by service and level, and shows a record with its fields and surroundings", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto(`/t/${shop.id}`);
    await page.getByRole("group", { name: "Services" }).getByRole("button", { name: "payments" }).click();
    await page.waitForURL("**service=payments**");
    const { records } = await shop.ask(`/api/v1/transactions/${shop.id}`);
    const mine = records.filter((/** @type {any} */ record) => record.service === "payments");
    await until("its records alone", async () => (await rows(page).count()) === mine.length);
    await page.getByLabel("Lowest level").selectOption("error");
    const errors = mine.filter((/** @type {any} */ record) => ["error", "fatal"].includes(record.severity));
    await until("its errors alone", async () => (await rows(page).count()) === errors.length);
    assert.ok(errors.length > 0 && errors.length < mine.length);
    await rows(page).first().click();
    const details = page.getByRole("complementary", { name: "Details of the record" });
    assert.equal(await details.locator("pre").innerText(), errors[0].line);
    await details.getByText("reason", { exact: true }).waitFor();
    await details.getByRole("button", { name: "Show the lines around it" }).click();
    await details.locator(".around li.here").waitFor();
    assert.ok((await details.locator(".around li").count()) > 1);
    // A value leads to a search that finds it.
    await details.getByRole("link", { name: "Search for reason with this value" }).click();
    await page.waitForURL("**/search?q=reason*");
    await page.getByRole("listbox", { name: "Records found" }).getByRole("option").first().waitFor();
    await close();
  });

  test("compares itself with those that began alike", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto(`/t/${shop.id}`);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.waitForURL("**compare=1**");
    await page.getByRole("region", { name: "Comparison" }).getByText(/transactions? that began at/).waitFor();
    await close();
  });

  test("is saved in every format", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto(`/t/${shop.id}`);
    const { records } = await shop.ask(`/api/v1/transactions/${shop.id}`);
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /NDJSON/ }).click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const lines = Buffer.concat(chunks).toString().trim().split("\n");
    assert.ok(lines.length >= records.length, `${lines.length} lines for ${records.length} records`);
    for (const line of lines) JSON.parse(line);
    await close();
  });

  test("the address holds zoom, filter, clocks and record, and is what is copied", async () => {
    const { page, close } = await tab(browser, shop.url, { permissions: ["clipboard-read", "clipboard-write"] });
    await page.goto(`/t/${shop.id}?service=payments`);
    await rows(page).first().click();
    await page.getByRole("button", { name: "Clocks" }).click();
    await page.locator(".waterfall .plot").focus();
    // More often than a browser wants to be told of an address.
    for (let times = 0; times < 300; times += 1) await page.keyboard.press(times % 2 === 0 ? "+" : "-");
    await page.keyboard.press("+");
    await page.waitForURL(/(?=.*service=payments)(?=.*record=)(?=.*clocks=1)(?=.*zoom=)/);
    const line = await page.locator(".details pre").innerText();
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.getByText("Link copied").waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, page.url());
    await page.goto("/");
    await page.goto(link);
    await page.getByText("Our clock minus its clock").waitFor();
    await until("the same record", async () => (await page.locator(".details pre").innerText()) === line);
    await page.locator(".waterfall header").getByText(/s of \d/).waitFor();
    await close();
  });

  test("a link to a record opens it", async () => {
    const { page, close } = await tab(browser, shop.url);
    const { records } = await shop.ask(`/api/v1/transactions/${shop.id}`);
    const record = records[records.length - 2];
    await page.goto(`/t/${shop.id}?record=${record.source_id}:${record.position}`);
    assert.equal(await page.locator(".details pre").innerText(), record.line);
    await close();
  });
});

describe("search", () => {
  /** @param {import("playwright-core").Page} page */
  const found = (page) => page.getByRole("listbox", { name: "Records found" }).getByRole("option");

  test("finds, is narrowed by a facet, and goes back", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/search");
    await found(page).first().waitFor();
    await page.getByRole("complementary", { name: "Facets" }).getByRole("button", { name: /^payments/ }).click();
    await page.waitForURL("**q=service:payments**");
    await until("payments alone", async () => (await found(page).locator(".who").allInnerTexts()).every((text) => text.trim() === "payments"));
    await page.goBack();
    await until("all services", async () => new Set(await found(page).locator(".who").allInnerTexts()).size > 1);
    await close();
  });

  test("completes fields and values, and shows a mistake where it is", async () => {
    const { page, close, expect } = await tab(browser, shop.url);
    expect(/status of 400/);
    await page.goto("/search");
    const query = page.getByRole("combobox", { name: "Query" });
    await query.pressSequentially("serv");
    await page.getByRole("option", { name: /^service/ }).first().waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("option", { name: /^inventory/ }).waitFor();
    await query.pressSequentially("in");
    await page.getByRole("option", { name: /^inventory/ }).waitFor();
    // Typed on, and chosen before the next list is there: the choice stands, and takes the place of all that was typed.
    let answer = () => {};
    const held = new Promise((done) => (answer = () => done(undefined)));
    await page.route("**/logs/facets**limit=200**", async (route) => {
      await held;
      await route.continue().catch(() => {});
    });
    await query.pressSequentially("v");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await query.inputValue(), "service:inventory ");
    answer();
    await page.unroute("**/logs/facets**limit=200**");
    await query.fill("service:inv");
    await until("inventory alone", async () => (await page.getByRole("listbox", { name: "What may follow" }).getByRole("option").count()) === 1);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await query.inputValue(), "service:inventory ");
    await query.fill('service:inventory status:[500 TO');
    await page.keyboard.press("Enter");
    await page.locator(".query .said").waitFor();
    assert.ok((await page.locator(".query .underline u").innerText()).length > 0);
    assert.equal(await query.getAttribute("aria-invalid"), "true");
    await close();
  });

  test("the histogram is marked to zoom, and the address holds it", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/search?from=-5m");
    const over = page.locator(".histogram .u-over");
    await over.waitFor();
    const histogram = await shop.ask("/api/v1/logs/histogram?from=-5m");
    const all = (Date.parse(histogram.to) - Date.parse(histogram.from)) / 1000;
    const area = await over.boundingBox();
    assert.ok(area);
    await page.mouse.move(area.x + area.width * 0.6, area.y + 40);
    await page.mouse.down();
    await page.mouse.move(area.x + area.width * 0.98, area.y + 44, { steps: 6 });
    await page.mouse.up();
    await page.waitForURL(/from=2\d\d\d-.*to=2\d\d\d-/);
    const { searchParams } = new URL(page.url());
    const seconds = (Date.parse(searchParams.get("to") ?? "") - Date.parse(searchParams.get("from") ?? "")) / 1000;
    const { interval_ns: interval } = await shop.ask("/api/v1/logs/histogram?from=-5m");
    assert.ok(Math.abs(seconds - all * 0.38) < all * 0.1 + (2 * interval) / 1e9, `${seconds} of ${all} s`);
    await found(page).first().waitFor();
    await close();
  });

  test("the histogram is marked by keys and by a finger as well", async () => {
    for (const options of [{}, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }]) {
      const { page, close } = await tab(browser, shop.url, options);
      await page.goto("/search?from=-5m");
      await page.locator(".histogram .u-over").waitFor();
      if (options.hasTouch) {
        const area = await page.locator(".histogram .u-over").boundingBox();
        assert.ok(area);
        const session = await page.context().newCDPSession(page);
        const at = (/** @type {number} */ part) => [{ x: area.x + area.width * part, y: area.y + 40 }];
        await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0.5) });
        for (const part of [0.6, 0.7, 0.8, 0.9]) await session.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at(part) });
        await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
      } else {
        const bars = page.locator(".brushed");
        await bars.focus();
        await page.keyboard.press("End");
        for (let more = 0; more < 9; more += 1) await page.keyboard.press("Shift+ArrowLeft");
        await bars.getByRole("status").getByText(/ to .* records/).waitFor();
        await page.keyboard.press("Enter");
      }
      await page.waitForURL(/from=2\d\d\d-.*to=2\d\d\d-/);
      await close();
    }
  });

  test("a facet's value is left out by a key, and an open record stands in the address", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/search");
    const value = page.getByRole("complementary", { name: "Facets" }).getByRole("button", { name: /^payments/ });
    await value.focus();
    await page.keyboard.press("-");
    await page.waitForURL("**q=-service:payments**");
    await until("no payments", async () => {
      const names = await found(page).locator(".who").allInnerTexts();
      return names.length > 0 && names.every((text) => text.trim() !== "payments");
    });
    await found(page).nth(2).click();
    await page.waitForURL(/record=[0-9a-f]{32}:\d+/);
    const line = await page.locator(".details pre").innerText();
    await page.reload();
    await until("the same record", async () => (await page.locator(".details pre").innerText()) === line);
    // Also where no list has it.
    const [, record] = /(record=[^&]*)/.exec(page.url()) ?? [];
    await page.goto(`/search?q=nothinghasthisword&${record}`);
    await until("the same record", async () => (await page.locator(".details pre").innerText()) === line);
    await page.keyboard.press("Escape");
    await page.waitForURL(/q=nothinghasthisword$/);
    await close();
  });

  test("columns, order and query come out of the address alone", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/search?q=service:payments&from=all&order=oldest&columns=amount_cents,host");
    await found(page).first().waitFor();
    assert.deepEqual(await page.locator(".head-row span").allInnerTexts(), ["Time", "Service", "Level", "amount_cents", "host", "Line"]);
    const { records } = await shop.ask("/api/v1/logs/search?q=service:payments&order=oldest&limit=1");
    await until("the first of all", async () => /shop-1/.test(await found(page).first().innerText()) && (await found(page).first().innerText()).includes(records[0].time.slice(11, 19)));
    await close();
  });

  test("scrolling loads what follows, without a record missing or twice", async () => {
    const { page, close } = await tab(browser, shop.url);
    // Some more than the first page has, and all of them written already.
    const [first] = (await shop.ask("/api/v1/logs/search?order=oldest&limit=1")).records;
    const written = Date.now() - 10_000;
    const times = `from=${first.time}&to=${new Date(written).toISOString()}`;
    await page.goto(`/search?${times}`);
    const all = await shop.ask(`/api/v1/logs/search?limit=10000&${times}`);
    assert.ok(all.records.length > 200 && all.next_cursor === null, `${all.records.length} records`);
    const list = page.getByRole("listbox", { name: "Records found" });
    await found(page).first().waitFor();
    await until("all of them", async () => {
      await list.evaluate((/** @type {HTMLElement} */ list) => list.scrollTo(0, list.scrollHeight));
      return page.getByText(`${all.records.length.toLocaleString("en")} records, that is all`).isVisible();
    });
    await close();
  });

  test("the tail shows what comes in, pauses and goes on", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/search?tail=1");
    const list = page.getByRole("listbox", { name: "Records as they come in" });
    await list.getByRole("option").first().waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    const count = Number(await list.getByRole("option").first().getAttribute("aria-setsize"));
    await page.getByRole("button", { name: /Go on with \d+ new/ }).waitFor();
    assert.equal(Number(await list.getByRole("option").first().getAttribute("aria-setsize")), count);
    await page.getByRole("button", { name: /Go on with/ }).click();
    await until("more of them", async () => Number(await list.getByRole("option").first().getAttribute("aria-setsize")) > count);
    await close();
  });
});

describe("lists and states", () => {
  test("home shows what failed, what was slow, services and agents, and leads there", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/");
    await page.getByRole("region", { name: "Services" }).getByRole("link", { name: "payments" }).waitFor();
    await page.getByRole("region", { name: "Agents" }).getByRole("link", { name: "shop-1" }).waitFor();
    await page.getByRole("region", { name: "Slowest of the last hour" }).getByRole("link").nth(1).waitFor();
    const failing = page.getByRole("region", { name: "Failing lately" }).locator(".briefs a").first();
    const id = await failing.locator(".id").innerText();
    await failing.click();
    await page.waitForURL(`**/t/${id}`);
    assert.notEqual(await page.locator(".facts .is-error").first().innerText(), "none");
    await close();
  });

  test("transactions are filtered and sorted, and a dot of the plot opens one", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/transactions?errors=true");
    await page.locator("tbody tr").first().waitFor();
    assert.ok((await page.locator("tbody tr td:last-child").allInnerTexts()).every((text) => Number(text) > 0));
    await page.getByRole("button", { name: "With errors" }).click();
    await page.getByRole("button", { name: "Duration", exact: true }).click();
    await page.waitForURL("**sort=duration**");
    // Drawn anew for the other order, with the slowest in it. A dot is where its colour is on all sides.
    const plot = page.locator(".chart canvas");
    const dot = () => plot.evaluate((/** @type {HTMLCanvasElement} */ canvas) => {
      const { data, width, height } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
      const is = (/** @type {number} */ x, /** @type {number} */ y) => [139, 147, 201].every((value, part) => Math.abs(data[(y * width + x) * 4 + part] - value) < 8);
      for (let y = 3; y < height - 3; y += 1) for (let x = 80; x < width - 3; x += 1) if (is(x, y) && is(x - 2, y) && is(x + 2, y) && is(x, y - 2) && is(x, y + 2)) return { x: (x * canvas.clientWidth) / width, y: (y * canvas.clientHeight) / height };
      return null;
    });
    await until("a dot below the pointer", async () => {
      const [at, area] = [await dot(), await plot.boundingBox()];
      if (!at || !area) return false;
      await page.mouse.move(area.x + at.x - 1, area.y + at.y);
      await page.mouse.move(area.x + at.x, area.y + at.y);
      return page.locator(".chart .tip").isVisible();
    });
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForURL("**/t/*");
    await close();
  });

  test("services are drawn with who calls whom", async () => {
    const { page, close } = await tab(browser, shop.url);
    // How many calls the shop's logs show depends on how its lines lie in time: as many are drawn as are told.
    const [told] = await Promise.all([page.waitForResponse("**/services/graph**"), page.goto("/services")]);
    await page.locator(".graph").getByRole("link", { name: /^payments/ }).waitFor();
    assert.equal(await page.locator(".graph .edge").count(), (await told.json()).edges.length);
    await close();
  });

  test("agents and storage say how it is", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/agents");
    await page.getByText("all 1 ship").waitFor();
    await page.getByText("payments", { exact: true }).first().waitFor();
    await page.goto("/storage");
    await page.getByText("everything works").waitFor();
    await close();
  });

  test("an address that is no page says so", async () => {
    const { page, close, expect } = await tab(browser, shop.url);
    expect(/status of 404/);
    const response = await page.goto("/nowhere");
    assert.equal(response?.status(), 404);
    await page.getByText("There is no such page").waitFor();
    await close();
  });
});

test("by keyboard alone: from the box to an error, its details, the search and the tail", async () => {
  const { page, close } = await tab(browser, shop.url);
  await page.goto("/services");
  await page.getByRole("heading", { name: "Services", exact: true }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "To the content");
  await page.keyboard.press("Escape");
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
  await page.keyboard.press("/");
  await page.keyboard.type(shop.id);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/t/${shop.id}`);
  await rows(page).first().waitFor();
  await page.keyboard.press("n");
  const details = page.getByRole("complementary", { name: "Details of the record" });
  await details.waitFor();
  // Closed at once after it moved on, as fast as keys come.
  for (const key of ["k", "j", "Escape"]) await page.keyboard.press(key);
  await page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(done))));
  await until("no details", async () => (await details.count()) === 0);
  await page.keyboard.press("Enter");
  await details.waitFor();
  assert.match((await page.locator('.rec[aria-selected="true"] .sev').innerText()).trim(), /error|fatal/);
  const line = await details.locator("pre").innerText();
  await page.keyboard.press("j");
  await until("the next record", async () => (await details.locator("pre").innerText()) !== line);
  await page.keyboard.press("k");
  await until("the error again", async () => (await details.locator("pre").innerText()) === line);
  await page.keyboard.press("Escape");
  await until("no details", async () => (await details.count()) === 0);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await details.waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await until("no dialog", async () => (await page.getByRole("dialog").count()) === 0);
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.waitForURL("**/search");
  await page.getByRole("listbox", { name: "Records found" }).getByRole("option").first().waitFor();
  await page.keyboard.press("l");
  await page.waitForURL("**tail=1**");
  await page.getByRole("listbox", { name: "Records as they come in" }).getByRole("option").first().waitFor();
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "Paused" }).waitFor();
  await close();
});

const PAGES = () => ["/", `/t/${shop.id}`, `/t/${shop.id}?compare=1`, "/search", "/search?q=level:error&columns=msg", "/transactions", "/services", "/agents", "/storage", "/t/ffffffffffffffffffffffffffffffff"];

describe("for everybody", () => {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`axe finds nothing serious, ${colorScheme}`, async () => {
      const { page, close, expect } = await tab(browser, shop.url, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
      expect(/status of 404/);
      for (const address of PAGES()) {
        await page.goto(address);
        await page.locator("main").locator("h1, h2").first().waitFor();
        await until("nothing that is still loading", async () => (await page.locator(".skeleton").count()) === 0);
        if (address === `/t/${shop.id}`) await rows(page).first().click();
        assert.deepEqual(await serious(page), [], address);
      }
      await close();
    });

    test(`axe finds nothing serious in what opens and what fails, ${colorScheme}`, async () => {
      const { page, close, expect } = await tab(browser, shop.url, { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
      expect(/status of (400|500)/);
      /** @param {string} what */
      const check = async (what) => assert.deepEqual(await serious(page), [], what);
      await page.goto("/search");
      await page.getByRole("listbox", { name: "Records found" }).getByRole("option").first().waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await check("the keys");
      await page.keyboard.press("Escape");
      for (const name of [/Last hour/, /Columns/]) {
        await page.getByRole("button", { name }).click();
        await page.locator(".menu .pop").waitFor();
        await check(`the menu ${name}`);
        await page.keyboard.press("Escape");
      }
      const query = page.getByRole("combobox", { name: "Query" });
      await query.pressSequentially("serv");
      await page.getByRole("option", { name: /^service/ }).first().waitFor();
      await page.keyboard.press("ArrowDown");
      await check("completion");
      await query.fill("service:(");
      await page.keyboard.press("Enter");
      await page.locator(".query .said").waitFor();
      await check("a query that cannot be read");
      await page.goto("/search?tail=1");
      await page.getByRole("listbox", { name: "Records as they come in" }).getByRole("option").first().waitFor();
      await page.getByRole("button", { name: "Pause" }).click();
      await check("a paused tail");
      await page.goto(`/t/${shop.id}?clocks=1`);
      await rows(page).first().waitFor();
      await page.getByRole("button", { name: "Export" }).click();
      await check("clocks and export");
      await page.goto("/agents");
      await page.getByText("all 1 ship").waitFor();
      await page.route("**/api/**", (route) => route.fulfill({ status: 500, contentType: "text/html", body: "<h1>broken</h1>" }));
      await page.getByText(/What is shown is as it was at/).waitFor();
      await check("what could not be asked anew");
      for (const address of ["/", "/search", `/t/${shop.id}`, "/transactions", "/services", "/storage"]) {
        await page.goto(address);
        await page.getByRole("alert").first().waitFor();
        await check(`a failed ${address}`);
      }
      await close();
    });
  }

  test("on a phone nothing is wider than the screen", async () => {
    const { page, close, expect } = await tab(browser, shop.url, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    expect(/status of 404/);
    for (const address of PAGES()) {
      await page.goto(address);
      await until("nothing that is still loading", async () => (await page.locator(".skeleton").count()) === 0);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 390, `${address} is ${wide} pixels wide`);
    }
    await page.goto(`/t/${shop.id}`);
    await rows(page).first().tap();
    await page.getByRole("complementary", { name: "Details of the record" }).waitFor();
    await close();
  });

  test("dark and light are kept", async () => {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/agents");
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: /^Colours: auto/ }).click();
    await page.getByRole("button", { name: /^Colours: light/ }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
    await close();
  });
});

test("what a first visit costs: bytes and requests; how soon it paints is told", async (context) => {
  const costs = [];
  for (const address of ["/", `/t/${shop.id}`, "/search", "/transactions"]) {
    const { page, close } = await tab(browser, shop.url);
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    let bytes = 0;
    /** @type {Set<string>} */
    const ours = new Set();
    session.on("Network.responseReceived", ({ requestId, response }) => {
      if (!new URL(response.url).pathname.startsWith("/api/")) ours.add(requestId);
    });
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (ours.has(requestId)) bytes += encodedDataLength;
    });
    await page.goto(address);
    await page.locator("main").locator("h1, h2").first().waitFor();
    await until("nothing that is still loading", async () => (await page.locator(".skeleton").count()) === 0);
    // The library for charts comes last, where there is one.
    if (address === "/search" || address === "/transactions") await page.locator(":is(.chart, .histogram) canvas").waitFor();
    await page.waitForLoadState("networkidle").catch(() => {});
    costs.push(`${address.slice(0, 14)}: ${bytes} bytes in ${ours.size} requests`);
    assert.ok(bytes > 10_000 && bytes < 150_000, `${address} costs ${bytes} bytes`);
    // Nothing but the document's own style and its small script stands before the first paint, whatever comes later.
    const blocking = await page.evaluate(() => performance.getEntriesByType("resource").filter((/** @type {any} */ entry) => entry.renderBlockingStatus === "blocking").map((entry) => new URL(entry.name).pathname.replace(/.*\//, "")).sort());
    assert.deepEqual(blocking.filter((name) => name !== "uplot.css"), ["style.css", "theme.js"], address);
    // Kept by the browser: a second visit asks for the document alone.
    bytes = 0;
    await page.reload();
    await page.locator("main").locator("h1, h2").first().waitFor();
    assert.ok(bytes < 3_000, `${address} costs ${bytes} bytes again`);
    await close();
  }
  const paints = [];
  for (let visit = 0; visit < 7; visit += 1) {
    const { page, close } = await tab(browser, shop.url);
    await page.goto("/");
    paints.push(await until("a paint", () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime)));
    await close();
  }
  paints.sort((left, right) => left - right);
  context.diagnostic(`${costs.join("; ")}; first paint after ${Math.round(paints[3])} ms (median of ${paints.length}, ${Math.round(paints[0])} to ${Math.round(paints[6])})`);
});
