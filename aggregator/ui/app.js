// The frame: the bar on top, the page that the address names, and what is common to all of them.
import { render } from "./vendor/preact.js";
import { useEffect, useState } from "./vendor/hooks.js";
import { html } from "./lib/html.js";
import * as keyboard from "./lib/keyboard.js";
import { prefer, preference } from "./lib/preferences.js";
import * as router from "./lib/router.js";
import { useSession } from "./lib/session.js";
import { usePreferences } from "./lib/use.js";
import { Dialog, Toasts } from "./parts/menu.js";
import { Omni } from "./parts/omni.js";
import { Empty, Failed, Loading } from "./parts/states.js";
import { LoginPage } from "./pages/login.js";
import * as icons from "./parts/icons.js";

/** Pages come when they are asked for; `fills`: as high as the window, with lists that scroll by themselves. */
const PAGES = /** @type {Record<string, {load: () => Promise<any>, fills?: boolean, box?: boolean}>} */ ({
  "/": { load: () => import("./pages/home.js").then((page) => page.HomePage), box: true },
  "/t": { load: () => import("./pages/transaction.js").then((page) => page.TransactionPage), fills: true },
  "/search": { load: () => import("./pages/search.js").then((page) => page.SearchPage), fills: true, box: true },
  "/transactions": { load: () => import("./pages/transactions.js").then((page) => page.TransactionsPage) },
  "/services": { load: () => import("./pages/services.js").then((page) => page.ServicesPage) },
  "/agents": { load: () => import("./pages/agents.js").then((page) => page.AgentsPage) },
  "/storage": { load: () => import("./pages/storage.js").then((page) => page.StoragePage) },
});
const NAVIGATION = /** @type {const} */ ([["/search", "Search", "s"], ["/transactions", "Transactions", "t"], ["/services", "Services", "v"], ["/agents", "Agents", "a"], ["/storage", "Storage", "d"]]);

function App() {
  usePreferences();
  const { session, isOut, login, logout } = useSession();
  const { path } = router.useAddress();
  const [help, setHelp] = useState(false);
  const name = path.startsWith("/t/") ? "/t" : path.replace(/(.)\/$/, "$1");
  const page = PAGES[name];
  keyboard.useShortcuts([
    { keys: "/", what: "To the box: an ID, a line or a query", where: "Everywhere", run: () => /** @type {HTMLElement | null} */ (document.querySelector("[data-box]"))?.focus() },
    { keys: "?", what: "These keys", where: "Everywhere", run: () => setHelp(true) },
    { keys: "g h", what: "Home", where: "Everywhere", run: () => router.navigate("/") },
    ...NAVIGATION.map(([to, label, key]) => ({ keys: `g ${key}`, what: label, where: "Everywhere", run: () => router.navigate(to) })),
  ]);
  return html`
    <a class="skip" href="#main">To the content</a>
    <header class="bar">
      <a class="brand" href="/"><${icons.Mark} />Clew</a>
      <nav aria-label="Pages">${!isOut && NAVIGATION.map(([to, label]) => html`<a key=${to} href=${to} aria-current=${name === to || (name === "/t" && to === "/transactions") ? "page" : undefined}>${label}</a>`)}</nav>
      ${page && !page.box && !isOut ? html`<${Omni} />` : html`<span class="spacer"></span>`}
      <${Tools} onHelp=${() => setHelp(true)} name=${session?.locked ? session.name : null} logout=${logout} />
    </header>
    <main id="main" tabindex="-1" class=${page?.fills ? "fills" : ""}>
      ${isOut ? html`<${LoginPage} login=${login} />` : page ? html`<${Page} key=${name === "/t" ? path : name} name=${name} id=${name === "/t" ? decoded(path.slice(3)) : ""} />` : html`<${Empty} title="There is no such page"><p><a href="/">To the beginning</a></p></${Empty}>`}
    </main>
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
    <${Toasts} />`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @type {Map<string, any>} */
const loadedPages = new Map();

/** @param {{name: string, id: string}} props */
function Page({ name, id }) {
  const [component, setComponent] = useState(() => loadedPages.get(name));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    if (component) return;
    PAGES[name].load().then((page) => {
      loadedPages.set(name, page);
      setComponent(() => page);
    }, setProblem);
  }, []);
  if (problem) return html`<${Failed} problem=${new Error("this part of the page could not be loaded; is the aggregator running?")} again=${() => location.reload()} />`;
  return component ? html`<${component} id=${id} />` : html`<${Loading} rows=${6} />`;
}

/** @param {{onHelp: () => void, name: string | null, logout: () => Promise<void>}} props name: of the token that somebody is logged in with */
function Tools({ onHelp, name, logout }) {
  const theme = preference("theme");
  const next = /** @type {const} */ ({ auto: "light", light: "dark", dark: "auto" })[theme];
  const drawings = { auto: icons.Auto, light: icons.Sun, dark: icons.Moon };
  const zone = preference("zone");
  return html`<div class="tools" role="group" aria-label="How it looks">
    <button type="button" class="button quiet small" title="Times are shown in this zone" aria-label=${`Times in ${zone === "utc" ? "UTC" : "local time"}; change`} onClick=${() => prefer("zone", zone === "utc" ? "local" : "utc")}>${zone === "utc" ? "UTC" : "Local"}</button>
    <button type="button" class="button quiet icon small" title=${`Colours: ${theme}`} aria-label=${`Colours: ${theme}; change to ${next}`} onClick=${() => prefer("theme", next)}><${drawings[theme] ?? icons.Auto} /></button>
    <button type="button" class="button quiet icon small" title="Keys (?)" aria-label="Keys" onClick=${onHelp}><${icons.Help} /></button>
    ${name && html`<button type="button" class="button quiet icon small" title=${`Logged in as ${name}: log out`} aria-label="Log out" onClick=${() => void logout()}><${icons.Leave} /></button>`}
  </div>`;
}

/** @param {{onClose: () => void}} props */
function Help({ onClose }) {
  const all = keyboard.shortcuts();
  const groups = [...new Set(all.map((shortcut) => shortcut.where ?? "This page"))];
  return html`<${Dialog} title="Keys" onClose=${onClose}>
    ${groups.map((group) => html`<section class="stack" style=${{ marginBottom: "14px" }} key=${group}><h3>${group}</h3>
      <ul class="keys">${all.filter((shortcut) => (shortcut.where ?? "This page") === group).map((shortcut) => html`<li><span>${shortcut.keys.split(", ")[0].split(" ").map((key) => html`<kbd>${key}</kbd> `)}</span><span>${shortcut.what}</span></li>`)}</ul></section>`)}
    <p class="dim small">In a list: arrows, Page Up and Down, Home and End. In the waterfall: arrows move, <kbd>+</kbd> and <kbd>−</kbd> zoom, <kbd>0</kbd> shows all.</p>
  </${Dialog}>`;
}

router.start();
keyboard.start();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
