// Screen 4: the page a mail's button opens. Nothing happens here until somebody presses a button.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { Alert, Button, CodeField, Heading, ScreenLink, useCall } from "../parts.js";
import { clock, explain, rich, stress } from "../wording.js";
import { GATE, Gate, finish } from "./finish.js";

const ENDED = { link_already_used: "used", link_expired: "expired" };

export function Link({ route }) {
  const app = useApp();
  const [token] = useState(() => route.query.get("t"));
  const [view, setView] = useState(token ? null : { name: "bare" });

  const look = async () => {
    setView(null);
    try {
      setView({ name: "ask", link: await app.auth.post("/v1/sign-in/link/inspect", { token }) });
    } catch (error) {
      setView(ended(error) ?? { name: "failed", problem: explain(app, error) });
    }
  };
  useEffect(() => {
    app.hideQuery(); // the token stays in this page's memory only
    if (token) look();
  }, []);

  if (!view) return html`<${Card} busy />`;
  if (view.name === "gate") return html`<${Gate} key="gate" code=${view.code} />`;
  if (view.name === "failed") return html`<${Failed} key="failed" problem=${view.problem} onRetry=${look} />`;
  if (view.name !== "ask") return html`<${Ended} key=${view.name} name=${view.name} />`;
  const refused = (error) => {
    const next = ended(error);
    if (next) setView(next);
    if (error.code === "other_browser") setView({ ...view, link: { ...view.link, same_browser: false } });
    return Boolean(next) || error.code === "other_browser";
  };
  const Ask = view.link.purpose === "invite" ? Invitation : view.link.same_browser ? SameBrowser : OtherBrowser;
  return html`<${Ask} key=${Ask.name} link=${view.link} token=${token} refused=${refused} />`;
}

/** The view for a refusal that no other try can change. */
function ended(error) {
  if (ENDED[error.code]) return { name: ENDED[error.code] };
  return GATE.includes(error.code) ? { name: "gate", code: error.code } : null;
}

function SameBrowser({ link, token, refused }) {
  const app = useApp();
  const call = useCall();
  const { at, browser, place } = link.requested ?? {};
  const confirm = () => call.run(async () => finish(app, await app.auth.post("/v1/sign-in/link/confirm", { token })), refused);
  const asked = app.t(place ? "ui.link.body_place" : "ui.link.body", { time: at && clock(app, at), browser, place });
  const title = app.t("ui.link.title", { hint: link.account_hint });
  return html`<${Card}>
    <div class="lead"><${Heading}>${title}<//>${at && browser && html`<p>${asked}</p>`}</div>
    <${Alert} problem=${call.problem} />
    <${Button} kind="primary" busy=${call.busy} onClick=${confirm}>${app.t("ui.link.button")}<//>
    <p class="small muted">${app.t("ui.link.not_you")}</p>
  <//>`;
}

function OtherBrowser({ link, token, refused }) {
  const app = useApp();
  return html`<${Card}>
    <div class="lead">
      <${Heading}>${app.t("ui.link.other.title")}<//>
      <p>${rich(app.t("ui.link.other.there"))}</p>
    </div>
    <${Asked} link=${link} />
    <p class="muted">${rich(app.t("ui.link.other.here"))}</p>
    <${CodeForm} token=${token} refused=${refused} label=${app.t("ui.link.other.code")} button=${app.t("ui.link.other.button")} />
    <p class="small muted">${app.t("ui.link.not_you")}</p>
  <//>`;
}

function Invitation({ link, token, refused }) {
  const app = useApp();
  const body = app.t("ui.invite.body", { hint: link.account_hint });
  return html`<${Card}>
    <div class="lead">
      <${Heading}>${app.t("ui.invite.title", { app: app.config.app })}<//>
      <p>${stress(body, link.account_hint)}</p>
    </div>
    <${CodeForm} token=${token} refused=${refused} label=${app.t("ui.invite.code")} button=${app.t("ui.invite.button")} />
    <p class="small muted">${app.t("ui.invite.not_you")}</p>
  <//>`;
}

/** Who asked, when, where. */
function Asked({ link }) {
  const app = useApp();
  const { at, browser, place } = link.requested ?? {};
  const facts = {
    account: link.account_hint,
    at: at && clock(app, at),
    browser,
    place: place && app.t("ui.asked.place_value", { place }),
  };
  return html`<dl class="facts">
    ${Object.entries(facts).filter(([, value]) => value).map(([name, value]) => html`<dt key=${name}>${app.t(`ui.asked.${name}`)}</dt><dd>${value}</dd>`)}
  </dl>`;
}

function CodeForm({ token, refused, label, button }) {
  const app = useApp();
  const call = useCall(["code"]);
  const [code, setCode] = useState("");
  const submit = (event) => {
    event.preventDefault();
    const typed = code.replace(/[\s-]/g, "");
    if (!typed) return call.fail({ field: "code", text: app.t("ui.check.code_missing") });
    return call.run(async () => finish(app, await app.auth.post("/v1/sign-in/link/confirm", { token, here: true, code: typed })), refused);
  };
  return html`<form onSubmit=${submit} novalidate>
    <${Alert} problem=${call.problem} />
    <${CodeField} label=${label} value=${code} problem=${call.problem?.field && call.problem} onInput=${(event) => setCode(event.currentTarget.value)} />
    <${Button} kind="primary" type="submit" busy=${call.busy}>${button}<//>
  </form>`;
}

function Ended({ name }) {
  const app = useApp();
  return html`<${Card}>
    <div class="lead">
      <${Heading} problem=${name !== "bare"}>${app.t(`ui.link.${name}.title`)}<//>
      <p>${app.t(`ui.link.${name}.body`)}</p>
    </div>
    <${ScreenLink} kind="button primary" to="/ui/sign-in">${app.t("ui.link.new")}<//>
    ${name === "used" && html`<${ScreenLink} to="/ui/account">${app.t("ui.link.account")}<//>`}
  <//>`;
}

function Failed({ problem, onRetry }) {
  const app = useApp();
  return html`<${Card}>
    <${Heading} problem>${app.t("ui.error.title")}<//>
    <${Alert} problem=${problem} />
    <${Button} kind="primary" onClick=${onRetry}>${app.t("ui.try_again")}<//>
  <//>`;
}
