// A locked aggregator in a browser: a token once, and from then on everything as ever, until somebody logs out or the token goes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, serious, tab } from "./browser.mjs";
import { House, until } from "./house.mjs";

const ID = "6bf92f3577b34da6a3ce929d0e0e4736";
const WRONG = `clew_${"A".repeat(43)}`;

/** @type {House} */
let house;
/** @type {import("playwright-core").Browser} */
let browser;
let secret = "";

before(async () => {
  browser = await launch();
  house = await House.open();
  house.write("web-1", "front", [`${new Date().toISOString()} INFO trace_id=${ID} behind the door`]);
  await house.agent("web-1");
  await house.transaction(ID, 1);
  secret = await house.token("create", "people", "--scope", "read");
  await until("the door to be locked", async () => (await house.ask("/api/v1/session"))?.locked);
});
after(async () => {
  await browser?.close();
  await house?.close();
});

test("a link leads through the login to what it names, and out again", async () => {
  const { page, close, expect } = await tab(browser, house.url);
  expect(/status of 40[13]/);
  await page.goto(`/search?q=txn:${ID}&from=all`);
  await page.getByRole("heading", { name: "Log in with a token" }).waitFor();
  assert.equal(await page.getByText("behind the door").count(), 0);
  assert.equal(await page.getByRole("navigation", { name: "Pages" }).getByRole("link").count(), 0);
  assert.deepEqual(await serious(page), []);
  const token = page.getByLabel("Token");
  await token.fill(WRONG);
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("does not know this token").waitFor();
  await token.fill(secret);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("behind the door").first().waitFor();
  assert.match(page.url(), new RegExp(`q=txn:${ID}`));
  // No script can get at what the browser shows.
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.equal(await page.evaluate((secret) => JSON.stringify({ ...localStorage, ...sessionStorage }).includes(secret), secret), false);
  await page.goto(`/t/${ID}`);
  await page.getByText("behind the door").first().waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in with a token" }).waitFor();
  await close();
});

test("what is followed live ends with the token, and asks for another", async () => {
  const { page, close, expect } = await tab(browser, house.url);
  expect(/status of 40[13]/);
  await page.goto("/agents");
  await page.getByLabel("Token").fill(secret);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "web-1" }).waitFor();
  await house.token("revoke", "people");
  // The page asks for agents again and again by itself.
  await page.getByRole("heading", { name: "Log in with a token" }).waitFor();
  await close();
});
