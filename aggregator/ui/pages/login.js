// What is there to see of an aggregator that is locked.
import { html } from "../lib/html.js";
import { whyNot } from "../lib/session.js";
import { useTitle } from "../lib/use.js";
import { useState } from "../vendor/hooks.js";
import { upper, withCode } from "../parts/states.js";
import * as icons from "../parts/icons.js";

/** @param {{login: (token: string) => Promise<void>}} props */
export function LoginPage({ login }) {
  useTitle("Log in");
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [why, setWhy] = useState("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await login(token.trim());
    } catch (error) {
      setWhy(whyNot(error));
      setBusy(false);
    }
  };
  return html`<div class="login">
    <${icons.Lock} />
    <h1>Log in with a token</h1>
    <p class="dim">This aggregator shows its logs to those who have one.</p>
    <form class="stack" onSubmit=${submit}>
      <label class="visually-hidden" for="token">Token</label>
      <input class="input mono" id="token" name="token" type="password" autocomplete="current-password" placeholder="clew_…" spellcheck=${false} required autofocus aria-describedby=${why ? "why-not" : undefined} aria-invalid=${why !== ""} value=${token} onInput=${(/** @type {any} */ event) => setToken(event.target.value)} />
      <button class="button primary" disabled=${busy || token.trim() === ""}>Log in</button>
    </form>
    <div role="alert">${why && html`<p class="is-error" id="why-not">${withCode(upper(why))}</p>`}</div>
    <p class="faint small">None yet? Whoever runs the aggregator makes one: <code>clew-aggregator token create NAME --scope read</code></p>
  </div>`;
}
