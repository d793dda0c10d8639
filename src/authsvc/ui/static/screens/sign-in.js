// Screens 1 and 2: sign in, welcome back; and what to show to somebody who is signed in already.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { AccountRow, Alert, Button, Field, Heading, Notice, ScreenLink, TextButton, arriving, useCall } from "../parts.js";
import { explain } from "../wording.js";

const REASONS = ["session_idle", "session_expired", "signed_out", "signed_out_elsewhere", "session_revoked", "security_event", "flow_expired"];

/** One entry per method type that has a screen; a type without one is not offered. */
const METHODS = { email: EmailForm };

export function SignIn({ route }) {
  const app = useApp();
  const [envelope, setEnvelope] = useState(route.state?.envelope);
  const [failure, setFailure] = useState(null);
  const [plain, setPlain] = useState(false);
  const [forgotten, setForgotten] = useState(false);

  useEffect(() => {
    if (envelope) return;
    app.auth.resume().then(setEnvelope, (error) => {
      setFailure(explain(app, error));
      setEnvelope({ next: "sign_in" });
    });
  }, []);

  if (!envelope) return html`<${Card} busy />`;
  if (envelope.next === "done") return html`<${SignedIn} key="in" route=${route} />`;

  const back = envelope.last_used && !plain && !forgotten && METHODS[envelope.last_used.type] ? envelope.last_used : null;
  const reason = forgotten || plain ? null : (route.state?.reason ?? envelope.reason);
  const title = back ? app.t("ui.welcome.title") : app.t("ui.sign_in.title", { app: app.config.app });
  return html`<${Card} key=${back ? "back" : "form"}>
    <${Heading}>${title}<//>
    ${REASONS.includes(reason) && html`<${Notice}>${app.t(`ui.reason.${reason}`, { duration: app.t("ui.duration.some") })}<//>`}
    ${forgotten && html`<${Notice} kind="good" icon="tick">${app.t("ui.welcome.forgotten")}<//>`}
    ${envelope.next === "check_email" && html`<${Pending} envelope=${envelope} route=${route} />`}
    <${Alert} problem=${failure} />
    ${back && html`<${LastUsed} used=${back} />`}
    <${Methods} envelope=${envelope} back=${back} route=${route} quiet=${REASONS.includes(reason)} />
    ${back && html`<${OtherWays} onPlain=${() => setPlain(true)} onForgotten=${() => setForgotten(true)} />`}
  <//>`;
}

function Pending({ envelope, route }) {
  const app = useApp();
  const state = { envelope, at: Date.now(), email: route.state?.email };
  return html`<${Notice} icon="mail">
    <p>${app.t("ui.sign_in.pending", { hint: envelope.delivery.to })}</p>
    <${ScreenLink} to="/ui/check-email" how=${{ state }}>${app.t("ui.sign_in.pending_link")}<//>
  <//>`;
}

function LastUsed({ used }) {
  const app = useApp();
  return html`<${AccountRow} account=${used.account_hint}>
    <p class="small muted">${app.t("ui.welcome.by_email")} · ${app.t("ui.sign_in.last_used")}</p>
  <//>`;
}

function Methods({ envelope, back, route, quiet }) {
  const app = useApp();
  const offered = (envelope.methods ?? app.config.methods).filter((method) => METHODS[method.type]);
  const first = offered.find((method) => method.type === envelope.last_used?.type);
  const ordered = first ? [first, ...offered.filter((method) => method !== first)] : offered;
  if (!ordered.length) return html`<${Notice} icon="alert">${app.t("ui.sign_in.no_way")}<//>`;
  return ordered.map(
    (method) => html`<${METHODS[method.type]} key=${`${method.type} ${method.provider}`} method=${method} back=${back} route=${route} quiet=${quiet} />`,
  );
}

function EmailForm({ back, route, quiet }) {
  const app = useApp();
  const call = useCall(["email"]);
  const [email, setEmail] = useState(route.state?.email ?? "");
  const [stay, setStay] = useState(route.state?.stay ?? false);
  // A mouse and nothing to read first: only then does the field take the focus by itself.
  const [focused] = useState(() => arriving() && !quiet && matchMedia("(pointer: fine)").matches);

  const submit = (event) => {
    event.preventDefault();
    const address = email.trim();
    const wrong = !address ? "missing" : /^[^\s@]+@[^\s@]+\.[^\s@]+$|^[^\s@]+@localhost$/.test(address) ? null : "invalid";
    if (wrong) return call.fail({ field: "email", text: app.t(`ui.sign_in.email_${wrong}`) });
    return call.run(async () => {
      const asked = { stay, returnTo: route.query.get("return_to"), clientId: route.query.get("client_id") };
      const envelope = await startEmail(app, address, asked);
      app.go("/ui/check-email", { state: { envelope, at: Date.now(), email: address, ...asked } });
    });
  };

  return html`<form onSubmit=${submit} novalidate>
    <${Alert} problem=${call.problem} />
    <${Field}
      id="email" type="email" inputmode="email" autocomplete="username webauthn" autocapitalize="off" spellcheck=${false}
      label=${back ? app.t("ui.welcome.email") : app.t("ui.sign_in.email")} value=${email} focused=${focused}
      problem=${call.problem?.field && call.problem} onInput=${(event) => setEmail(event.currentTarget.value)}
    />
    <label class="check">
      <input type="checkbox" name="stay_signed_in" checked=${stay} onChange=${(event) => setStay(event.currentTarget.checked)} />
      <span>${app.t("ui.sign_in.stay")}</span>
      <span></span><span class="hint small">${app.t("ui.sign_in.stay_hint")}</span>
    </label>
    <${Button} kind="primary" type="submit" busy=${call.busy}>${app.t("ui.sign_in.button")}<//>
    ${!back && html`<p class="small muted">${app.t("ui.sign_in.hint")}</p>`}
  </form>`;
}

/** Asks for a message; also used to ask again when the first attempt has expired. */
export function startEmail(app, email, { stay, returnTo, clientId }) {
  return app.auth.post("/v1/sign-in/email", {
    email,
    stay_signed_in: stay ?? false,
    ui_locales: app.locale,
    ...(returnTo && { return_to: returnTo }),
    ...(clientId && { client_id: clientId }),
  });
}

/** The sign-in screen for the same app and the same way back. */
export function signInPath({ returnTo, clientId } = {}) {
  const query = new URLSearchParams({ ...(clientId && { client_id: clientId }), ...(returnTo && { return_to: returnTo }) });
  return `/ui/sign-in${query.size ? `?${query}` : ""}`;
}

function OtherWays({ onPlain, onForgotten }) {
  const app = useApp();
  const call = useCall();
  const forget = () =>
    call.run(async () => {
      await app.auth.signOut({ forgetDevice: true });
      onForgotten();
    });
  return html`<div class="actions">
    <${Alert} problem=${call.problem} />
    <${TextButton} onClick=${onPlain}>${app.t("ui.welcome.other")}<//>
    <${TextButton} onClick=${forget} disabled=${call.busy}>${app.t("ui.welcome.forget")}<//>
  </div>`;
}

/** Shown where a sign-in is not needed any more, or was finished in another tab. */
export function SignedIn({ route, elsewhere }) {
  const app = useApp();
  const call = useCall();
  const returnTo = route.state?.returnTo;
  const other = () =>
    call.run(async () => {
      await app.auth.signOut();
      app.go("/ui/sign-in", { state: { envelope: { next: "sign_in", reason: "none" } }, replace: true });
    });
  return html`<${Card}>
    <div class="lead">
      <${Heading}>${app.t("ui.signed_in.title")}<//>
      <p>${app.t(elsewhere ? "ui.signed_in.elsewhere" : "ui.signed_in.here")}</p>
    </div>
    ${app.auth.user && html`<${AccountRow} account=${app.auth.user.email}><p class="small muted">${app.auth.user.name}</p><//>`}
    <${Alert} problem=${call.problem} />
    <${Button} kind="primary" onClick=${() => (returnTo ? app.leave(returnTo) : app.go("/ui/account"))}>${app.t("ui.signed_in.button")}<//>
    ${!elsewhere && html`<${TextButton} onClick=${other} disabled=${call.busy}>${app.t("ui.welcome.other")}<//>`}
  <//>`;
}
