import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { AuthsvcError, VERSION, createAuthsvc } from "../../../src/authsvc/ui/static/lib/authsvc.js";
import { RESUME, ann, done, openPage, rotating, serve, signIn, until } from "./service.mjs";

const PAGE = "http://app.localhost:5173";
let went;
let open = [];

beforeEach(() => {
  went = openPage(PAGE);
});
afterEach(async () => {
  await Promise.all(open.map((server) => server.close()));
  open = [];
});

async function start(routes) {
  const server = await serve(routes);
  open.push(server);
  return server;
}

test("boot asks for the profile and shows who is signed in", async () => {
  const server = await start({ [RESUME]: rotating() });
  const auth = createAuthsvc(server.origin);
  const envelope = await auth.resume();
  assert.equal(envelope.next, "done");
  assert.equal(auth.user.email, "ann@example.com");
  assert.equal(auth.session.id, "ses_A");
  assert.deepEqual(JSON.parse(server.seen[0].text), { profile: true });
});

test("every call carries what the cross-site checks ask for", async () => {
  const server = await start({ [RESUME]: rotating(), "DELETE /v1/flow": () => [204] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  assert.equal(await auth.del("/v1/flow"), null);
  for (const { headers } of server.seen) {
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["x-authsvc-client"], `js/${VERSION}`);
  }
});

test("many uses of a page at once make one refresh", async () => {
  const server = await start({ [RESUME]: rotating(), "GET /api": () => [200, {}] });
  const auth = createAuthsvc(server.origin);
  await Promise.all(Array.from({ length: 8 }, () => auth.fetch(`${server.origin}/api`)));
  assert.equal(server.count("/v1/session/resume"), 1);
  assert.equal(server.count("/api"), 8);
});

test("six pages that boot at once make one refresh and all know the person", async () => {
  const server = await start({ [RESUME]: rotating() });
  const pages = Array.from({ length: 6 }, () => createAuthsvc(server.origin));
  const envelopes = await Promise.all(pages.map((auth) => auth.resume()));
  assert.equal(server.count("/v1/session/resume"), 1);
  for (const envelope of envelopes) {
    assert.equal(envelope.next, "done");
    assert.equal(envelope.access_token, "t1");
    assert.equal(envelope.user.email, "ann@example.com");
  }
});

test("without locks each page still refreshes once and stays signed in", async () => {
  openPage(PAGE, { locks: false });
  const server = await start({ [RESUME]: rotating(), "GET /api": () => [200, {}] });
  const pages = Array.from({ length: 3 }, () => createAuthsvc(server.origin));
  await Promise.all(pages.flatMap((auth) => [auth.fetch(`${server.origin}/api`), auth.fetch(`${server.origin}/api`)]));
  assert.ok(server.count("/v1/session/resume") <= 3);
  for (const auth of pages) assert.equal(auth.user.id, "usr_ANN");
});

test("a token is exchanged when it is used with less than 30 seconds left, not before", async () => {
  const server = await start({ [RESUME]: rotating({ life: 31 }), "GET /api": () => [200, {}] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  await auth.fetch(`${server.origin}/api`);
  assert.equal(server.seen.at(-1).headers.authorization, "Bearer t1");

  const short = await start({ [RESUME]: rotating({ life: 29 }), "GET /api": () => [200, {}] });
  const other = createAuthsvc(short.origin);
  await other.resume();
  await other.fetch(`${short.origin}/api`);
  assert.equal(short.seen.at(-1).headers.authorization, "Bearer t2");
});

test("a refresh asks for no profile once the person is known", async () => {
  const server = await start({ [RESUME]: rotating({ life: 10 }), "GET /api": () => [200, {}] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  await auth.fetch(`${server.origin}/api`);
  assert.deepEqual(server.seen.filter((entry) => entry.path.endsWith("resume")).map((entry) => JSON.parse(entry.text)), [{ profile: true }, {}]);
});

test("a lost answer of resume is asked for again", async () => {
  let calls = 0;
  const server = await start({ [RESUME]: () => ((calls += 1) === 1 ? "lost" : [200, done("same", { user: ann })]) });
  const auth = createAuthsvc(server.origin);
  assert.equal((await auth.resume()).access_token, "same");
  assert.equal(calls, 2);
});

test("a refusal of resume is an answer: it is not repeated and changes nothing", async () => {
  const problem = { status: 503, code: "store_unavailable", title: "Please try again shortly", retry_after: 5, request_id: "req_1" };
  const server = await start({ [RESUME]: () => [503, problem] });
  const auth = createAuthsvc(server.origin);
  const error = await auth.resume().catch((raised) => raised);
  assert.ok(error instanceof AuthsvcError);
  assert.deepEqual([error.code, error.status, error.retryAfter, error.requestId], ["store_unavailable", 503, 5, "req_1"]);
  assert.equal(server.count("/v1/session/resume"), 1);
});

test("an expired token is renewed and the request repeated with its body, at most twice", async () => {
  const expired = { status: 401, code: "token_expired", title: "Token expired" };
  let refusals = 1;
  const api = await start({ "POST /orders": (request) => ((refusals -= 1) >= 0 ? [401, expired] : [200, { got: request.text, by: request.headers.authorization }]) });
  const server = await start({ [RESUME]: rotating() });
  const auth = createAuthsvc(server.origin, { apis: [api.origin] });
  const init = { method: "POST", body: JSON.stringify({ item: 7 }) };
  const answer = await (await auth.fetch(`${api.origin}/orders`, init)).json();
  assert.deepEqual(answer, { got: '{"item":7}', by: "Bearer t2" });

  refusals = 99;
  assert.equal((await auth.fetch(`${api.origin}/orders`, init)).status, 401);
  assert.equal(api.count("/orders"), 2 + 3);
});

test("any other 401 is the application's", async () => {
  const api = await start({ "GET /orders": () => [401, { status: 401, code: "token_invalid", title: "No" }] });
  const server = await start({ [RESUME]: rotating() });
  const auth = createAuthsvc(server.origin, { apis: [api.origin] });
  const response = await auth.fetch(`${api.origin}/orders`);
  assert.equal((await response.json()).code, "token_invalid");
  assert.equal(api.count("/orders"), 1);
});

test("a step-up handler is asked once a refusal, and a no is final", async () => {
  const wanted = { status: 401, code: "insufficient_user_authentication", title: "Confirm", required: { acr: "aal2" } };
  const api = await start({ "GET /orders": (request) => (request.headers.authorization === "Bearer t1" ? [401, wanted] : [200, {}]) });
  const server = await start({ [RESUME]: rotating() });
  const asked = [];
  const yes = createAuthsvc(server.origin, { apis: [api.origin], stepUp: async (problem) => (asked.push(problem.required.acr), true) });
  assert.equal((await yes.fetch(`${api.origin}/orders`)).status, 200);
  assert.deepEqual(asked, ["aal2"]);

  const again = await start({ [RESUME]: rotating() });
  const no = createAuthsvc(again.origin, { apis: [api.origin], stepUp: async () => false });
  assert.equal((await no.fetch(`${api.origin}/orders`)).status, 401);
});

test("the bearer goes to the page, authsvc and the named APIs, and nowhere else", async () => {
  const seenBy = async (pick) => {
    const api = await start({ "GET /x": () => [200, {}] });
    const server = await start({ [RESUME]: rotating(), "GET /x": () => [200, {}] });
    const auth = createAuthsvc(server.origin, pick(api));
    await auth.resume();
    await auth.fetch(`${api.origin}/x`);
    return api.seen[0].headers.authorization;
  };
  assert.equal(await seenBy((api) => ({ apis: [api.origin] })), "Bearer t1");
  assert.equal(await seenBy(() => ({})), undefined);
  assert.equal(await seenBy((api) => ({ apis: [api.origin.replace("127.0.0.1", "127.0.0.2")] })), undefined);
  assert.equal(await seenBy((api) => (openPage(api.origin), {})), "Bearer t1");
});

test("an application's own Authorization is left alone", async () => {
  const server = await start({ [RESUME]: rotating(), "GET /x": () => [200, {}] });
  const auth = createAuthsvc(server.origin);
  await auth.fetch(`${server.origin}/x`, { headers: { Authorization: "Basic eDp5" } });
  assert.deepEqual(server.seen.map((entry) => entry.headers.authorization), ["Basic eDp5"]);
});

test("account paths use a token of their own, which no API is shown", async () => {
  const account = (request) => [200, { by: request.headers.authorization }];
  const server = await start({ [RESUME]: rotating(), "GET /v1/account": account, "PATCH /v1/account": account, "GET /v1/accounts": account });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  assert.equal((await auth.get("/v1/account")).by, "Bearer authsvc-2");
  assert.equal((await auth.patch("/v1/account", { name: "A" })).by, "Bearer authsvc-2");
  assert.equal((await auth.get("/v1/accounts")).by, undefined);
  assert.deepEqual(JSON.parse(server.seen[1].text), { audience: "authsvc" });
  await auth.fetch(`${server.origin}/v1/accounts`);
  assert.equal(server.seen.at(-1).headers.authorization, "Bearer t1");
});

test("signed out, requests go without a token and without asking again", async () => {
  const server = await start({ [RESUME]: () => [200, signIn()], "GET /api": () => [200, {}] });
  const auth = createAuthsvc(server.origin);
  await auth.fetch(`${server.origin}/api`);
  await auth.fetch(`${server.origin}/api`);
  assert.equal(server.count("/v1/session/resume"), 1);
  assert.equal(server.seen.at(-1).headers.authorization, undefined);
});

test("events tell changes of the signed-in state, after the lock is free, and other pages too", async () => {
  const server = await start({
    [RESUME]: rotating({ life: 10 }),
    "GET /api": () => [200, {}],
    "POST /v1/logout": () => [204],
  });
  const heard = [];
  const [here, there] = [createAuthsvc(server.origin), createAuthsvc(server.origin)];
  for (const [name, auth] of [["here", here], ["there", there]]) {
    auth.on("signed_in", ({ user }) => heard.push(`${name} in ${user.id}`));
    auth.on("signed_out", ({ reason }) => heard.push(`${name} out ${reason}`));
  }
  const free = new Promise((resolve) => here.on("signed_in", async () => resolve(await here.resume())));
  await here.resume();
  assert.equal((await free).next, "done");
  await here.fetch(`${server.origin}/api`);
  await until(() => heard.length === 2);
  await here.signOut();
  await until(() => heard.length === 4);
  assert.deepEqual(heard.toSorted(), ["here in usr_ANN", "here out signed_out", "there in usr_ANN", "there out signed_out_elsewhere"]);
  assert.equal(there.user, null);
  assert.deepEqual(JSON.parse(server.seen.at(-1).text), { scope: "this", forget_device: false });
});

test("a listener that was taken off hears nothing", async () => {
  const server = await start({ [RESUME]: rotating() });
  const auth = createAuthsvc(server.origin);
  const heard = [];
  auth.on("signed_in", () => heard.push("kept"));
  auth.on("signed_in", () => heard.push("gone"))();
  await auth.resume();
  await until(() => heard.length);
  assert.deepEqual(heard, ["kept"]);
});

test("what pages tell each other never holds a credential", async () => {
  const channel = new BroadcastChannel("authsvc");
  const messages = [];
  channel.onmessage = ({ data }) => messages.push(data);
  const server = await start({ [RESUME]: rotating(), "POST /v1/logout": () => [204] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  await auth.signOut();
  await until(() => messages.length === 2);
  channel.close();
  assert.deepEqual(messages.map((message) => message.type), ["token", "signed_out"]);
  assert.deepEqual(Object.keys(messages[0].envelope).toSorted(), ["access_token", "expires_in", "next", "session", "token_type", "user"]);
});

test("a failed sign-out leaves the page signed in and says so", async () => {
  const server = await start({ [RESUME]: rotating(), "POST /v1/logout": () => [503, { status: 503, code: "busy", title: "Busy" }] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  await assert.rejects(auth.signOut(), { name: "AuthsvcError", code: "busy" });
  assert.equal(auth.user.id, "usr_ANN");
});

test("signing out elsewhere keeps this page signed in", async () => {
  const server = await start({ [RESUME]: rotating(), "POST /v1/logout": () => [204] });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  await auth.signOut({ scope: "others" });
  assert.equal(auth.user.id, "usr_ANN");
});

test("a code typed in the application's own form signs in", async () => {
  const server = await start({
    [RESUME]: () => [200, signIn()],
    "POST /v1/sign-in/email/code": (_request, body) => [200, done("fresh", { user: ann, return_to: null, said: body.code })],
    "GET /api": () => [200, {}],
  });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  const heard = [];
  auth.on("signed_in", ({ session }) => heard.push(session.id));
  assert.equal((await auth.post("/v1/sign-in/email/code", { code: "493 201" })).next, "done");
  await auth.fetch(`${server.origin}/api`);
  assert.equal(server.seen.at(-1).headers.authorization, "Bearer fresh");
  assert.deepEqual(heard, ["ses_A"]);
});

test("another person's session, found at a refresh, replaces the profile", async () => {
  let session = "ses_A";
  const bob = { ...ann, id: "usr_BOB" };
  const server = await start({
    [RESUME]: (_request, body) => [200, done(`for-${session}`, { life: 10, session, ...(body.profile && { user: session === "ses_A" ? ann : bob }) })],
    "GET /api": () => [200, {}],
  });
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  const heard = [];
  auth.on("signed_in", ({ user }) => heard.push(user.id));
  session = "ses_B";
  await auth.fetch(`${server.origin}/api`);
  assert.equal(auth.user.id, "usr_BOB");
  await until(() => heard.length);
  assert.deepEqual(heard, ["usr_BOB"]);
});

test("an unknown next goes to its hosted screen, which can only be authsvc's", async () => {
  let url;
  const server = await start({ [RESUME]: () => [200, { next: "dance", continue_url: url, flow: { id: "flw_1" } }] });
  url = `${server.origin}/ui/dance?flow=flw_1`;
  await createAuthsvc(server.origin).resume();
  assert.deepEqual(went.splice(0), [url]);
  url = "https://evil.example/ui/dance";
  await createAuthsvc(server.origin).resume();
  assert.deepEqual(went, []);
});

test("signIn opens the hosted screen, to return to this page without its fragment", async () => {
  let url;
  const server = await start({ [RESUME]: () => [200, signIn("none", { continue_url: url })] });
  url = `${server.origin}/ui/sign-in?client_id=web`;
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  auth.signIn();
  const there = new URL(went.pop());
  assert.equal(there.origin + there.pathname, `${server.origin}/ui/sign-in`);
  assert.deepEqual(Object.fromEntries(there.searchParams), { client_id: "web", return_to: `${PAGE}/orders?page=2` });
});

test("signIn goes on with a pending attempt where it stands", async () => {
  let url;
  const server = await start({ [RESUME]: () => [200, { next: "check_email", continue_url: url }] });
  url = `${server.origin}/ui/check-email?flow=flw_1`;
  const auth = createAuthsvc(server.origin);
  await auth.resume();
  auth.signIn();
  assert.deepEqual(went, [url]);
});

test("a path cannot lead to another host, and an odd error is still typed", async () => {
  const server = await start({ "GET /v1/config": () => [502, "<html>"] });
  const auth = createAuthsvc(server.origin);
  await assert.rejects(auth.get("@evil.example/v1/config"), TypeError);
  await assert.rejects(auth.get("/v1/config"), { name: "AuthsvcError", code: "unexpected_answer", status: 502 });
});

test("a base with a path keeps it", async () => {
  const server = await start({ "POST /auth/v1/session/resume": rotating(), "GET /auth/v1/account": (request) => [200, { by: request.headers.authorization }] });
  const auth = createAuthsvc(`${server.origin}/auth/`);
  await auth.resume();
  assert.equal((await auth.get("/v1/account")).by, "Bearer authsvc-2");
});
