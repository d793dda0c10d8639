// Every screen in each of its states, with the answers that bring it about.

const RESUME = "POST /v1/session/resume";
const INSPECT = "POST /v1/sign-in/link/inspect";
const CONFIRM = "POST /v1/sign-in/link/confirm";
const CODE = "POST /v1/sign-in/email/code";

const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const signIn = (more = {}) => ({ next: "sign_in", reason: "none", sign_up: "open", methods: [{ type: "email" }], ...more });
const refusal = (status, code, more = {}) => ({ status, code, request_id: "req_01JDC0", ...more });
const person = { id: "usr_4K9D", email: "ann@example.com", email_verified: true, name: "Ann Moreau", locale: "en", roles: ["member"] };
const done = { next: "done", user: person };

const waiting = (resend = 24, expires = 600) => ({
  next: "check_email",
  flow: { id: "flw_M1", expires_at: inSeconds(900) },
  resend_after: resend,
  code: { digits: 6, attempts_left: 5 },
  delivery: { channel: "email", to: "a…@example.com", expires_at: inSeconds(expires) },
});
const sent = (email = "ann@example.com", envelope = waiting()) => ({ envelope, at: Date.now(), email });

const link = (more = {}) => ({
  valid: true,
  purpose: "sign_in",
  same_browser: true,
  account_hint: "a…@example.com",
  requested: { at: inSeconds(-95), browser: "Firefox on Linux", place: "Lyon, France" },
  ...more,
});

const session = (id, more) => ({ id, current: false, ip: "198.51.100.x", method: "email", place: null, created_at: inSeconds(-9e5), ...more });
const here = session("ses_7QX2", { current: true, browser: "Firefox", os: "Linux", kind: "desktop", place: "Lyon, France", last_seen_at: inSeconds(-5) });
const elsewhere = [
  session("ses_1PL0", { browser: "Safari", os: "iOS 26", kind: "phone", place: "Paris, France", last_seen_at: inSeconds(-7300) }),
  session("ses_3RT8", { browser: "Chrome", os: "Windows 11", kind: "desktop", last_seen_at: inSeconds(-3 * 86_400) }),
  session("ses_5VB1", { browser: null, os: null, kind: null, last_seen_at: inSeconds(-12 * 86_400) }),
];
const account = (items, more = {}) => ({
  [RESUME]: done,
  "GET /v1/account": person,
  "GET /v1/account/sessions": { items, next_cursor: null },
  ...more,
});

const state = (id, name, path, more) => ({ id, name, path, ...more });
const reason = (code) => state(`reason-${code}`, `Sign in: ${code}`, "/ui/sign-in", { answers: { [RESUME]: signIn({ reason: code }) } });
const signInRefused = (id, problem) =>
  state(`sign-in-${id}`, `Sign in: ${problem.code}`, "/ui/sign-in", {
    answers: { [RESUME]: signIn(), "POST /v1/sign-in/email": problem },
    act: { fill: { email: "ann@example.com" } },
  });
const codeRefused = (id, problem) =>
  state(`check-${id}`, `Check your e-mail: ${problem.code}`, "/ui/check-email", {
    state: sent(),
    answers: { [CODE]: problem },
    act: { fill: { code: "493 201" } },
  });
const linked = (id, name, answers, more = {}) => state(`link-${id}`, `Link: ${name}`, "/ui/link?t=ml_7Fq", { answers, ...more });

export const gallery = [
  state("sign-in", "Sign in", "/ui/sign-in", { answers: { [RESUME]: signIn() } }),
  ...["session_idle", "session_expired", "signed_out", "signed_out_elsewhere", "session_revoked", "security_event"].map(reason),
  state("sign-in-missing", "Sign in: no address", "/ui/sign-in", { answers: { [RESUME]: signIn() }, act: {} }),
  state("sign-in-invalid", "Sign in: not an address", "/ui/sign-in", { answers: { [RESUME]: signIn() }, act: { fill: { email: "ann@example" } } }),
  state("sign-in-busy", "Sign in: sending", "/ui/sign-in", { answers: { [RESUME]: signIn() }, act: { fill: { email: "ann@example.com" } } }),
  signInRefused("blocked", refusal(429, "temporarily_blocked", { retry_after: 280 })),
  signInRefused("return", refusal(422, "return_to_not_allowed")),
  signInRefused("mail-down", refusal(503, "email_unavailable", { retry_after: 60 })),
  state("sign-in-pending", "Sign in: a message is on its way", "/ui/sign-in", { answers: { [RESUME]: waiting() } }),
  state("signed-in", "Sign in: already signed in", "/ui/sign-in", { answers: { [RESUME]: done }, user: person }),
  state("welcome", "Welcome back", "/ui/sign-in", { answers: { [RESUME]: signIn({ last_used: { type: "email", account_hint: "a…@example.com" } }) } }),
  state("welcome-idle", "Welcome back: session_idle", "/ui/sign-in", {
    answers: { [RESUME]: signIn({ reason: "session_idle", last_used: { type: "email", account_hint: "a…@example.com" } }) },
  }),
  state("welcome-forgotten", "Welcome back: forgotten", "/ui/sign-in", {
    answers: { [RESUME]: signIn({ last_used: { type: "email", account_hint: "a…@example.com" } }), "POST /v1/logout": {} },
    act: { press: ".actions .text-button:last-child" },
  }),
  state("check", "Check your e-mail", "/ui/check-email", { state: sent() }),
  state("check-webmail", "Check your e-mail: known web-mail", "/ui/check-email", { state: sent("ann.moreau@gmail.com", waiting(0)) }),
  state("check-expired", "Check your e-mail: expired", "/ui/check-email", { state: sent("ann@example.com", waiting(0, -1)) }),
  state("check-long", "Check your e-mail: long address", "/ui/check-email", { state: sent("annabelle.moreau-lefevre.de.la.fontaine@mail.department.example.com") }),
  codeRefused("wrong", refusal(422, "code_incorrect", { attempts_left: 4 })),
  codeRefused("spent", refusal(422, "code_incorrect", { attempts_left: 0 })),
  codeRefused("too-many", refusal(429, "too_many_attempts", { retry_after: 720 })),
  codeRefused("closed", refusal(403, "sign_up_closed")),
  codeRefused("invite", refusal(403, "invitation_required")),
  codeRefused("disabled", refusal(403, "account_disabled")),
  linked("same", "same browser", { [INSPECT]: link() }),
  linked("no-place", "same browser, place unknown", { [INSPECT]: link({ requested: { at: inSeconds(-95), browser: "Firefox on Linux", place: null } }) }),
  linked("other", "other browser", { [INSPECT]: link({ same_browser: false }) }),
  linked("other-wrong", "other browser, wrong code", { [INSPECT]: link({ same_browser: false }), [CONFIRM]: refusal(422, "code_incorrect", { attempts_left: 3 }) }, { act: { fill: { code: "000000" } } }),
  linked("used", "used", { [INSPECT]: refusal(409, "link_already_used") }),
  linked("expired", "expired", { [INSPECT]: refusal(410, "link_expired") }),
  linked("bare", "reloaded", {}, { path: "/ui/link" }),
  linked("failed", "service down", { [INSPECT]: refusal(503, "store_unavailable", { retry_after: 5 }) }),
  linked("invite", "invitation", { [INSPECT]: link({ purpose: "invite", same_browser: false, account_hint: "d…@example.com" }) }),
  state("signed-out", "Signed out", "/ui/signed-out"),
  state("account", "Account", "/ui/account", { answers: account([here, ...elsewhere]) }),
  state("account-alone", "Account: only here", "/ui/account", { answers: account([here]) }),
  state("account-ended", "Account: signed out elsewhere", "/ui/account", {
    answers: account([here, ...elsewhere], { "POST /v1/account/sessions/revoke": { revoked: 3 } }),
    act: { press: ".button.danger" },
  }),
  state("account-down", "Account: service down", "/ui/account", { answers: { [RESUME]: refusal(503, "busy", { retry_after: 2 }) } }),
  state("error", "Error: unknown", "/ui/error"),
  state("error-return", "Error: return_to_not_allowed", "/ui/error?code=return_to_not_allowed"),
  state("error-csrf", "Error page: csrf_rejected", "/errors/csrf_rejected"),
  state("error-missing", "Error page: not_found", "/errors/not_found"),
];
