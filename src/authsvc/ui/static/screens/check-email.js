// Screen 3: the message is on its way; type its code here, or press the button in it.
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { Alert, Button, CodeField, Heading, Icon, ScreenLink, TextButton, arriving, useCall } from "../parts.js";
import { webmailFor } from "../webmail.js";
import { stress } from "../wording.js";
import { GATE, Gate, finish } from "./finish.js";
import { SignedIn, signInPath, startEmail } from "./sign-in.js";

export function CheckEmail({ route }) {
  const app = useApp();
  const [pending, setPending] = useState(route.state?.envelope ? route.state : null);
  const [refused, setRefused] = useState(null);
  const [over, setOver] = useState(false);
  const [loaded] = useState(arriving);
  const finishing = useRef(false); // this tab's own code is being checked

  useEffect(() => {
    const off = app.auth.on("signed_in", () => finishing.current || setOver("elsewhere"));
    const check = () => restore(app, pending, setPending, setOver);
    const revived = (event) => event.persisted && check();
    addEventListener("pageshow", revived);
    if (!pending || loaded) check();
    return () => {
      off();
      removeEventListener("pageshow", revived);
    };
  }, []);

  if (over) return html`<${SignedIn} key="over" route=${route} elsewhere=${over === "elsewhere"} />`;
  if (refused) return html`<${Gate} key="gate" code=${refused} />`;
  if (!pending) return html`<${Card} busy />`;
  return html`<${Waiting} key="wait" pending=${pending} onPending=${setPending} onRefused=${setRefused} finishing=${finishing} />`;
}

/** After a reload, or back from the app: the attempt as the server knows it. */
async function restore(app, known, onPending, onOver) {
  const envelope = await app.auth.resume().catch(() => null);
  if (envelope?.next === "done") return onOver("here");
  if (envelope?.next !== "check_email") {
    return app.go(signInPath(known), { state: { envelope, reason: "flow_expired", email: known?.email }, replace: true });
  }
  const same = known?.envelope.flow.id === envelope.flow.id;
  return onPending({ ...(same && known), envelope, at: Date.now() });
}

function Waiting({ pending, onPending, onRefused, finishing }) {
  const app = useApp();
  const { envelope, email } = pending;
  const shown = email ?? envelope.delivery.to;
  const minutes = Math.max(1, Math.round((new Date(envelope.delivery.expires_at) - pending.at) / 60_000));
  const left = useSeconds(new Date(envelope.delivery.expires_at).getTime());
  const sent = app.t("ui.check.sent", { email: shown, n: minutes });
  if (left <= 0) {
    return html`<${Card}>
      <${Heading} key="expired" problem>${app.t("ui.check.expired_title")}<//>
      <div role="alert"><p class="muted">${app.t("ui.check.expired")}</p></div>
      <${Ways} pending=${pending} onPending=${onPending} expired />
    <//>`;
  }
  return html`<${Card}>
    <div class="lead">
      <${Heading} key="waiting">${app.t("ui.check.title")}<//>
      <p>${stress(sent, shown)}</p>
    </div>
    <${CodeForm} key=${envelope.flow.id} pending=${pending} onRefused=${onRefused} finishing=${finishing} />
    <${Ways} pending=${pending} onPending=${onPending} />
    <p class="small muted">${app.t("ui.check.spam")}</p>
  <//>`;
}

function CodeForm({ pending, onRefused, finishing }) {
  const app = useApp();
  const call = useCall(["code"]);
  const [code, setCode] = useState("");
  const { digits } = pending.envelope.code;

  const submit = (event) => {
    event.preventDefault();
    const typed = code.replace(/[\s-]/g, "");
    if (!typed) return call.fail({ field: "code", text: app.t("ui.check.code_missing") });
    if (typed.length < digits) return call.fail({ field: "code", text: app.t("ui.check.code_short", { digits }) });
    finishing.current = true;
    return call.run(
      async () => finish(app, await app.auth.post("/v1/sign-in/email/code", { code: typed, flow: pending.envelope.flow.id })),
      (error) => {
        finishing.current = false;
        if (GATE.includes(error.code)) onRefused(error.code);
        return GATE.includes(error.code);
      },
    );
  };

  return html`<form onSubmit=${submit} novalidate>
    <${Alert} problem=${call.problem} />
    <${CodeField} label=${app.t("ui.check.code", { digits })} value=${code} problem=${call.problem?.field && call.problem} onInput=${(event) => setCode(event.currentTarget.value)} />
    <${Button} kind="primary" type="submit" busy=${call.busy}>${app.t("ui.check.button")}<//>
  </form>`;
}

function Ways({ pending, onPending, expired }) {
  const app = useApp();
  const call = useCall();
  const { envelope, email, at } = pending;
  const wait = useSeconds(at + envelope.resend_after * 1000);
  const webmail = webmailFor(email ?? "");

  useEffect(() => {
    if (wait === 0 && envelope.resend_after) app.announce(app.t("ui.check.resend_ready"));
  }, [wait === 0]);

  const resend = () =>
    call.run(async () => {
      const next = await again(app, pending);
      onPending({ ...pending, envelope: next, at: Date.now() });
      app.announce(app.t("ui.check.resent"));
    });
  const wrong = async () => {
    await app.auth.del("/v1/flow").catch(() => {}); // an attempt left behind ends by itself
    app.go(signInPath(pending), { state: { envelope: { next: "sign_in", reason: "none" }, email, stay: pending.stay } });
  };

  if (expired) {
    return html`<${Alert} problem=${call.problem} />
      <${Button} kind="primary" busy=${call.busy} onClick=${resend}>${app.t("ui.check.resend")}<//>
      <${TextButton} onClick=${wrong}>${app.t("ui.check.wrong")}<//>`;
  }
  return html`<div class="actions">
    <${Alert} problem=${call.problem} />
    ${webmail && html`<a class="text-button" href=${webmail.url} target="_blank" rel="noopener noreferrer">${app.t("ui.check.webmail", webmail)}<${Icon} name="open" /></a>`}
    ${app.config.dev && html`<${ScreenLink} to="/dev/mailbox">${app.t("ui.check.webmail", { name: app.t("ui.dev.mailbox") })}<${Icon} name="mail" /><//>`}
    <${TextButton} onClick=${resend} disabled=${wait > 0 || call.busy}>
      ${wait > 0 ? app.t("ui.check.resend_wait", { n: wait }) : app.t("ui.check.resend")}
    <//>
    <${TextButton} onClick=${wrong}>${app.t("ui.check.wrong")}<//>
  </div>`;
}

/** A new message for this attempt, or a new attempt when this one is over. */
async function again(app, pending) {
  try {
    return await app.auth.post("/v1/sign-in/email/resend", { flow: pending.envelope.flow.id });
  } catch (error) {
    if (error.code !== "flow_expired" || !pending.email) throw error;
    return startEmail(app, pending.email, pending);
  }
}

/** Whole seconds until an instant, counted down to 0. */
function useSeconds(until) {
  const remaining = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(remaining);
  useEffect(() => {
    setSeconds(remaining());
    const timer = setInterval(() => {
      setSeconds(remaining());
      if (!remaining()) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [until]);
  return seconds;
}
