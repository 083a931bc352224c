// Who asks: an aggregator that is locked lets a browser in that has logged in with a token. The token goes to the aggregator once and is
// kept nowhere here; what the browser shows from then on is a cookie that no script can read.
import { useEffect, useState } from "../vendor/hooks.js";
import { Problem, ask, onLocked, send } from "./api.js";

const PATH = "/api/v1/session";

/** @typedef {import("../types.js").Session} Session */

/**
 * What the aggregator says of whoever asks; null until it is known. `isOut`: nothing can be read without a login.
 * @returns {{session: Session | null, isOut: boolean, login: (token: string) => Promise<void>, logout: () => Promise<void>}}
 */
export function useSession() {
  const [session, setSession] = useState(/** @type {Session | null} */ (null));
  const [isOut, setOut] = useState(false);
  const take = (/** @type {Session} */ session) => {
    setSession(session);
    setOut(session.locked && session.scopes.length === 0);
  };
  useEffect(() => {
    const look = () => ask(PATH).then((answer) => take(/** @type {Session} */ (answer)), () => {});
    void look();
    return onLocked(() => void look());
  }, []);
  return {
    session, isOut,
    login: async (token) => take(/** @type {Session} */ (await send("POST", PATH, { token }))),
    logout: async () => take(/** @type {Session} */ (await send("DELETE", PATH))),
  };
}

/** @param {unknown} error what a login came to, in words */
export const whyNot = (error) => (error instanceof Problem && error.status === 401 ? "The aggregator does not know this token, or it is good no more." : error instanceof Error ? error.message : String(error));
