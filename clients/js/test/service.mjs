// A loopback service with the answers of the public API that the client meets, and the page it runs in.
import { createServer } from "node:http";
import { once } from "node:events";

/** Starts a server; `routes` maps "METHOD /path" to a function of (request, body) → [status, body]. */
export async function serve(routes) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const entry = { method: request.method, path: request.url, headers: request.headers, text };
    seen.push(entry);
    const route = routes[`${request.method} ${request.url}`];
    const answer = route ? await route(entry, text ? JSON.parse(text) : undefined) : [404, { code: "not_found", title: "Not found", status: 404 }];
    if (answer === "lost") return void request.socket.destroy();
    const [status, body] = answer;
    response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    seen,
    count: (path) => seen.filter((entry) => entry.path === path).length,
    close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}

export const RESUME = "POST /v1/session/resume";
export const ann = { id: "usr_ANN", email: "ann@example.com", email_verified: true, name: "Ann", locale: "en", roles: ["member"] };

/** An envelope `done`, as resume answers it. */
export function done(token, { life = 300, session = "ses_A", ...more } = {}) {
  return {
    next: "done",
    access_token: token,
    token_type: "Bearer",
    expires_in: life,
    session: { id: session, acr: "aal1", amr: ["email"], auth_time: "2026-11-24T09:18:40Z", mfa: false, profile: "standard" },
    ...more,
  };
}

export const signIn = (reason = "none", more = {}) => ({ next: "sign_in", reason, methods: [{ type: "email" }], ...more });

/** Resume that counts up its tokens: `t1`, `t2` … and sends the profile when asked. */
export function rotating(options = {}) {
  let issued = 0;
  return async (_request, body) => {
    issued += 1;
    const name = body.audience ? `${body.audience}-${issued}` : `t${issued}`;
    return [200, done(name, { ...options, ...(body.profile && { user: ann }) })];
  };
}

/** Gives the process a page: `location`, and locks that hand over in order, as browsers do. */
export function openPage(origin, { locks = true } = {}) {
  const went = [];
  globalThis.location = { origin, href: `${origin}/orders?page=2#top`, assign: (url) => went.push(url) };
  Object.defineProperty(globalThis, "navigator", { value: { locks: locks ? lockManager() : undefined }, configurable: true });
  return went;
}

function lockManager() {
  const tails = new Map();
  return {
    async request(name, ...rest) {
      const work = rest.at(-1);
      const held = tails.get(name);
      if (held && rest[0].ifAvailable) return work(null);
      const mine = (held ?? Promise.resolve()).then(() => work({ name }));
      const tail = mine.catch(() => {}).then(() => tails.get(name) === tail && tails.delete(name));
      tails.set(name, tail);
      const answer = await mine;
      await tail;
      return answer;
    },
  };
}

/** Resolves once `check` holds; the test runner's own limit ends a wait in vain. */
export async function until(check) {
  for (let turn = 0; turn < 10_000 && !check(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  if (!check()) throw new Error("it did not happen");
}
