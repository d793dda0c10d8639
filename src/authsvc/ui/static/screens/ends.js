// Screen 23: signed out, and every error with one way forward.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { Alert, Heading, Notice, ScreenLink, TextButton, useCall } from "../parts.js";
import { rich } from "../wording.js";
import { SignedIn } from "./sign-in.js";

export function SignedOut({ route }) {
  const app = useApp();
  const call = useCall();
  const [forgotten, setForgotten] = useState(false);
  const [signedIn, setSignedIn] = useState(false);
  useEffect(() => {
    // Reached by "back", this page may no longer be true.
    app.auth.resume().then(({ next }) => setSignedIn(next === "done"), () => {});
  }, []);
  const forget = () =>
    call.run(async () => {
      await app.auth.signOut({ forgetDevice: true });
      app.announce(app.t("ui.welcome.forgotten"));
      setForgotten(true);
    });
  if (signedIn) return html`<${SignedIn} key="in" route=${route} />`;
  return html`<${Card} key="out">
    <div class="lead">
      <${Heading}>${app.t("ui.signed_out.title")}<//>
      <p>${app.t("ui.signed_out.body")}</p>
      ${!forgotten && html`<p>${app.t("ui.signed_out.stays")}</p>`}
    </div>
    ${forgotten && html`<${Notice} kind="good" icon="tick">${app.t("ui.welcome.forgotten")}<//>`}
    <${Alert} problem=${call.problem} />
    <${ScreenLink} kind="button primary" to="/ui/sign-in">${app.t("ui.signed_out.button")}<//>
    ${!forgotten && html`<${TextButton} onClick=${forget} disabled=${call.busy}>${app.t("ui.welcome.forget")}<//>`}
  <//>`;
}

/** `/ui/error?code=…` and `/errors/{code}`: fixed texts only, nothing of the address is shown but a known code. */
export function ErrorPage({ route }) {
  const app = useApp();
  const asked = route.params?.code ?? route.query.get("code");
  const code = asked && app.messages[`error.${asked}.title`] ? asked : null;
  const step = route.state?.step && app.t("ui.error.step");
  return html`<${Card}>
    <div class="lead">
      <${Heading} problem>${code ? app.t(`error.${code}.title`) : app.t("ui.error.title")}<//>
      ${!code && html`<p>${step ?? app.t("ui.error.body")}</p>`}
    </div>
    ${code && html`<${Explanation} code=${code} />`}
    <${ScreenLink} kind="button primary" to="/ui/sign-in">${app.t("ui.error.start")}<//>
  <//>`;
}

/** Cause and fix; what developers and operators can do comes apart from what everybody can. */
function Explanation({ code }) {
  const app = useApp();
  const fix = app.t(`error.${code}.fix`);
  return html`<div class="explanation">
    <h2>${app.t("ui.error.what")}</h2>
    <p>${app.t(`error.${code}.detail`)}</p>
    <h2>${app.t("ui.error.do")}</h2>
    ${fix.split("\n\n").map((text, at) => html`<p key=${at} class=${at ? "small muted" : ""}>${rich(text)}</p>`)}
    <p class="small muted">${app.t("ui.error.code")} <code>${code}</code></p>
  </div>`;
}
