/**
 * authsvc in the browser: one file, no dependency.
 *
 * Access tokens live in memory only; the session credential is an HttpOnly cookie that no script
 * sees. Pages of one origin share one refresh at a time and tell each other the new access token.
 *
 * @module @authsvc/client
 */

export const VERSION = "0.1.0";

/** A token with less life than this is exchanged before it is used. */
const SPARE_MS = 30_000;
/** A page that had to wait for another one's refresh gives its message this long to arrive. */
const HEAR_MS = 30;
/** A lost answer is asked for again, the first time well inside the server's ten seconds. */
const TRIES = [
  { pause: 0, limit: 5_000 },
  { pause: 300, limit: 10_000 },
  { pause: 1_500, limit: 30_000 },
];
const KNOWN = new Set(
  ("sign_in check_email redirect mfa_required step_up_required mfa_enrollment_required " +
    "link_account recovery_choose recovery_wait done").split(" "),
);

/** @typedef {Record<string, any> & {next: string, continue_url?: string}} Envelope one sign-in step */
/** @typedef {{id: string, email: string, email_verified: boolean, name: string | null, locale: string | null, roles: string[]}} User */
/** @typedef {{id: string, acr: string, amr: string[], auth_time: string, mfa: boolean, mfa_time?: string | null, profile: string, idle_expires_at: string, expires_at: string}} Session */
/** @typedef {{pointer: string, code: string, detail?: string}} FieldError */
/** @typedef {Record<string, any> & {status: number, code: string, title: string}} Problem RFC 9457, as authsvc answers it */
/** @typedef {"signed_in" | "signed_out"} EventName */
/** @typedef {{user: User | null, session: Session | null, reason?: string}} Change */
/**
 * @typedef {object} Options
 * @property {string} [clientId] client the hosted screens are opened for
 * @property {string[]} [apis] origins, beside the page's and authsvc's own, that may see the bearer token
 * @property {string} [audience] audience to ask for instead of the client's own
 * @property {typeof globalThis.fetch} [fetch] stand-in for the browser's
 * @property {(problem: Problem) => Promise<boolean>} [stepUp] asks for a fresher or stronger proof; true once it was given
 */

/** A refusal of authsvc, with the members of its problem document. */
export class AuthsvcError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.title);
    this.name = "AuthsvcError";
    /** The whole document, with members that only some codes bring. */
    this.problem = problem;
    this.status = problem.status;
    /** Stable, never translated; an unknown one is shown by its title. */
    this.code = problem.code;
    this.title = problem.title;
    /** @type {string | undefined} */
    this.detail = problem.detail;
    /** @type {Record<string, any>} */
    this.params = problem.params ?? {};
    /** @type {FieldError[]} */
    this.errors = problem.errors ?? [];
    /** @type {string | undefined} */
    this.requestId = problem.request_id;
    /** Seconds. @type {number | undefined} */
    this.retryAfter = problem.retry_after;
    /** @type {number | undefined} */
    this.attemptsLeft = problem.attempts_left;
  }
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {Response} response @returns {Promise<Problem>} */
async function problemOf(response) {
  const body = await response.clone().json().catch(() => null);
  const status = response.status;
  return body?.code ? body : { status, code: "unexpected_answer", title: `HTTP ${status}` };
}

/**
 * A client of the authsvc at `baseUrl`.
 *
 * @param {string} baseUrl
 * @param {Options} [options]
 */
export function createAuthsvc(baseUrl, options = {}) {
  const root = new URL(baseUrl, globalThis.location?.href);
  const base = root.origin + root.pathname.replace(/\/+$/, "");
  /** @type {typeof globalThis.fetch} */
  const send = options.fetch ?? ((input, init) => fetch(input, init));
  const trusted = new Set([root.origin, globalThis.location?.origin, ...(options.apis ?? [])]);

  /** By audience; "" is the client's own. @type {Map<string, {token: string, until: number}>} */
  const tokens = new Map();
  /** @type {Map<string, Promise<any>>} */
  const flights = new Map();
  /** @type {Record<EventName, Set<(change: Change) => void>>} */
  const listeners = { signed_in: new Set(), signed_out: new Set() };
  /** @type {User | null} */
  let user = null;
  /** @type {Session | null} */
  let session = null;
  /** undefined until the first answer @type {Envelope | undefined} */
  let last;
  /** Session that listeners were last told of. @type {string | null} */
  let told = null;
  /** Raised whenever a session begins or ends here, so that an older answer cannot undo it. */
  let turn = 0;
  /** @type {Promise<any>} */
  let queue = Promise.resolve();

  const channel = globalThis.BroadcastChannel && new BroadcastChannel("authsvc");
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data?.base !== base) return;
      if (data.type === "token") keep(data.key, data.envelope, data.until);
      if (data.type === "signed_out") forget({ next: "sign_in", reason: data.reason });
      tell();
    };
    // Node keeps a process alive for an open channel; browsers have no such method.
    /** @type {any} */ (channel).unref?.();
  }

  /** @param {string} key @param {Envelope} envelope @param {number} until */
  function keep(key, envelope, until) {
    const next = envelope.session ?? session;
    if (next?.id !== session?.id || !next) {
      tokens.clear();
      user = null;
      turn += 1;
    }
    session = next;
    user = envelope.user ?? user;
    if (!key || last?.next !== "done") last = envelope;
    tokens.set(key, { token: envelope.access_token, until });
  }

  /** @param {Envelope} envelope */
  function forget(envelope) {
    tokens.clear();
    user = session = null;
    last = envelope;
    turn += 1;
  }

  /** Tells listeners if, and only if, the signed-in state changed since they last heard. */
  function tell() {
    const now = tokens.size ? (session?.id ?? "session") : null;
    if (now === told) return;
    told = now;
    const change = now ? { user, session } : { user: null, session: null, reason: last?.reason };
    for (const listener of listeners[now ? "signed_in" : "signed_out"]) {
      queueMicrotask(() => listener(change));
    }
  }

  /** @param {string} key @param {Envelope} envelope @param {number} since */
  function adopt(key, envelope, since) {
    const until = since + envelope.expires_in * 1000;
    keep(key, envelope, until);
    channel?.postMessage({ type: "token", base, key, until, envelope });
  }

  /** @param {string} key */
  const usable = (key) => {
    const held = tokens.get(key);
    return held && held.until - Date.now() > SPARE_MS ? held.token : null;
  };

  /**
   * Runs `work` alone in this browser, or alone in this page where locks are missing.
   * `work` hears whether it had to wait.
   * @template T @param {(waited: boolean) => Promise<T>} work @returns {Promise<T>}
   */
  async function alone(work) {
    const locks = globalThis.navigator?.locks;
    if (!locks) {
      const turnOfMine = queue.then(() => work(false));
      queue = turnOfMine.catch(() => {});
      return turnOfMine;
    }
    const busy = {};
    const name = `authsvc ${base}`;
    const done = await locks.request(name, { ifAvailable: true }, (lock) => (lock ? work(false) : busy));
    return /** @type {T} */ (done === busy ? await locks.request(name, () => work(true)) : done);
  }

  /** One answer of resume; a lost one is asked for again. @param {string} key @param {boolean} profile */
  async function exchange(key, profile) {
    const audience = key || options.audience;
    const body = { ...(audience && { audience }), ...(profile && { profile }) };
    let lost;
    for (const { pause, limit } of TRIES) {
      if (pause) await sleep(pause);
      try {
        return await call("POST", "/v1/session/resume", body, { signal: AbortSignal.timeout(limit) });
      } catch (error) {
        if (error instanceof AuthsvcError) throw error;
        lost = error;
      }
    }
    throw lost;
  }

  /**
   * Exchanges the session credential for a token, unless another page just did.
   * @param {string} key @param {boolean} profile @param {string} [stale] token not to be used any more
   */
  async function refresh(key, profile, stale) {
    const before = stale ?? tokens.get(key)?.token;
    await alone(async (waited) => {
      if (waited) await sleep(HEAR_MS);
      const held = usable(key);
      if (held && held !== before && (user || !profile)) return;
      await renew(key, profile);
    });
    tell();
  }

  /** @param {string} key @param {boolean} profile */
  async function renew(key, profile) {
    const since = Date.now();
    const mine = turn;
    const envelope = await exchange(key, profile);
    if (envelope.next === "done") adopt(key, envelope, since);
    else if (envelope.next === "step_up_required") last = envelope;
    else if (mine === turn) {
      if (tokens.size) channel?.postMessage({ type: "signed_out", base, reason: envelope.reason });
      forget(envelope);
    }
    // A session begun elsewhere may be another person's: ask who it is before anybody is told.
    if (envelope.next === "done" && !user && !profile) await renew(key, true);
  }

  /** One flight a page for each audience. @param {string} key @param {boolean} profile @param {string} [stale] */
  function once(key, profile, stale) {
    const name = `${key} ${profile}`;
    const flight = flights.get(name) ?? refresh(key, profile, stale).finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight;
  }

  /** @param {string} key @param {string} [stale] @returns {Promise<string | null>} */
  async function token(key, stale) {
    const held = usable(key);
    if (held && held !== stale) return held;
    // Known to be signed out: only resume() or a sign-in changes that, so APIs are not slowed down.
    if (last && !tokens.size && last.next !== "done") return null;
    await once(key, !user, stale);
    return tokens.get(key)?.token ?? null;
  }

  /** @param {string} url */
  const keyFor = (url) =>
    url.startsWith(base) && /^\/v1\/(account|admin)(?![\w-])/.test(url.slice(base.length)) ? "authsvc" : "";

  /**
   * `fetch` with the bearer token where it may go: the page's origin, authsvc and `apis`. An
   * expired token is renewed and the request repeated, at most twice.
   * @param {RequestInfo | URL} input @param {RequestInit} [init] @returns {Promise<Response>}
   */
  async function authFetch(input, init) {
    const request = new Request(input instanceof Request ? input : new URL(input, globalThis.location?.href), init);
    if (!trusted.has(new URL(request.url).origin) || request.headers.has("Authorization")) return send(request);
    const key = keyFor(request.url);
    /** @type {string | undefined} */
    let stale;
    for (let repeats = 2; repeats > 0; repeats -= 1) {
      const bearer = await token(key, stale);
      const response = await attempt(request.clone(), bearer);
      if (response.status !== 401 || !bearer || !(await mayRepeat(response))) return response;
      stale = bearer;
    }
    return attempt(request, await token(key, stale));
  }

  /** @param {Request} request @param {string | null} bearer */
  function attempt(request, bearer) {
    if (bearer) request.headers.set("Authorization", `Bearer ${bearer}`);
    return send(request);
  }

  /** @param {Response} response */
  async function mayRepeat(response) {
    const problem = await problemOf(response);
    if (problem.code === "token_expired") return true;
    const asked = problem.code === "insufficient_user_authentication" && options.stepUp;
    return asked ? options.stepUp?.(problem) : false;
  }

  /** @param {string} method @param {string} path @param {unknown} body @param {RequestInit} [init] @returns {Promise<any>} */
  async function call(method, path, body, init = {}) {
    if (path[0] !== "/") throw new TypeError("a path starts with /");
    const headers = new Headers(init.headers);
    headers.set("Accept", "application/json");
    headers.set("X-Authsvc-Client", `js/${VERSION}`);
    if (method !== "GET") headers.set("Content-Type", "application/json");
    const url = base + path;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const whole = { ...init, method, headers, credentials: /** @type {const} */ ("include"), body: payload };
    const response = await (keyFor(new URL(url).href) ? authFetch(url, whole) : send(url, whole));
    if (!response.ok) throw new AuthsvcError(await problemOf(response));
    const answer = response.status === 204 || response.status === 205 ? null : await response.json();
    if (typeof answer?.next === "string" && !KNOWN.has(answer.next)) leave(answer.continue_url);
    return answer;
  }

  /** A call that may end a sign-in. @param {string} method @param {string} path @param {unknown} [body] @param {RequestInit} [init] */
  async function step(method, path, body, init) {
    const since = Date.now();
    const answer = await call(method, path, body, init);
    if (answer?.next === "done" && answer.access_token) {
      tokens.clear(); // what was proved may have changed: no older token stays in use
      adopt("", answer, since);
      tell();
    }
    return answer;
  }

  /** Goes to a hosted screen, and nowhere else. @param {string} [url] */
  function leave(url) {
    const here = globalThis.location;
    const there = url && new URL(url, base);
    if (!here || !there || there.origin !== root.origin || there.pathname === new URL(here.href).pathname) return;
    here.assign(there.href);
  }

  return {
    /** The person signed in here, or null. */
    get user() {
      return user;
    },
    /** The session of this browser, or null. */
    get session() {
      return session;
    },

    /** Boot: the envelope of this browser's session or pending sign-in. @returns {Promise<Envelope>} */
    async resume() {
      await once("", true);
      const envelope = /** @type {Envelope} */ (last);
      return envelope.next === "done" ? { ...envelope, user, session } : envelope;
    },

    /** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
    get: (path, init) => step("GET", path, undefined, init),
    /** @param {string} path @param {unknown} [body] @param {RequestInit} [init] @returns {Promise<any>} */
    post: (path, body = {}, init) => step("POST", path, body, init),
    /** @param {string} path @param {unknown} body @param {RequestInit} [init] @returns {Promise<any>} */
    patch: (path, body, init) => step("PATCH", path, body, init),
    /** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
    del: (path, init) => step("DELETE", path, undefined, init),
    fetch: authFetch,

    /**
     * Calls `listener` when the signed-in state changes. Answers the function that ends it.
     * @param {EventName} event @param {(change: Change) => void} listener
     */
    on(event, listener) {
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },

    /**
     * Opens the hosted sign-in, which comes back to `returnTo`. The promise stays open, because
     * the page goes away.
     * @param {{returnTo?: string}} [how]
     * @returns {Promise<never>}
     */
    signIn(how = {}) {
      const url = new URL(last?.continue_url ?? `${base}/ui/sign-in`, base);
      if (!last?.continue_url || last.next === "sign_in") {
        if (options.clientId) url.searchParams.set("client_id", options.clientId);
        const here = globalThis.location.href.replace(/#.*/, "");
        url.searchParams.set("return_to", how.returnTo ?? here);
      }
      leave(url.href);
      return new Promise(() => {});
    },

    /**
     * Ends the session (`this`), the person's other ones (`others`) or `all`.
     * @param {{scope?: "this" | "others" | "all", forgetDevice?: boolean}} [how]
     */
    async signOut(how = {}) {
      const scope = how.scope ?? "this";
      await alone(async () => {
        await call("POST", "/v1/logout", { scope, forget_device: how.forgetDevice ?? false });
        if (scope === "others") return;
        forget({ next: "sign_in", reason: "signed_out" });
        channel?.postMessage({ type: "signed_out", base, reason: "signed_out_elsewhere" });
      });
      tell();
    },
  };
}

/** @typedef {ReturnType<typeof createAuthsvc>} Authsvc */
