// A small account page: who you are here, where you are signed in, and the way out.
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { localeName } from "../i18n.js";
import { Alert, Button, Field, Heading, Icon, useCall } from "../parts.js";
import { explain } from "../wording.js";
import { Sessions } from "./sessions.js";

export function Account() {
  const app = useApp();
  const [account, setAccount] = useState(null);
  const [failure, setFailure] = useState(null);
  const leaving = useRef(false); // this tab's own sign-out is under way

  const load = async () => {
    setFailure(null);
    try {
      const envelope = await app.auth.resume();
      if (envelope.next !== "done") return app.go("/ui/sign-in", { state: { envelope }, replace: true });
      setAccount(await app.auth.get("/v1/account"));
    } catch (error) {
      setFailure(explain(app, error));
    }
  };
  useEffect(() => {
    load();
    return app.auth.on("signed_out", ({ reason }) => {
      if (!leaving.current) app.go("/ui/sign-in", { state: { envelope: { next: "sign_in", reason } }, replace: true });
    });
  }, []);

  if (!account && !failure) return html`<${Card} busy />`;
  return html`<${Card}>
    <${Heading}>${app.t("ui.account.title")}<//>
    <${Alert} problem=${failure} />
    ${failure && html`<${Button} kind="primary" onClick=${load}>${app.t("ui.try_again")}<//>`}
    ${account && html`<${Profile} account=${account} onSaved=${setAccount} /><${Sessions} /><${SignOut} leaving=${leaving} />`}
  <//>`;
}

function Profile({ account, onSaved }) {
  const app = useApp();
  const call = useCall(["name"]);
  const [name, setName] = useState(account.name ?? "");
  const [locale, setLocale] = useState(account.locale ?? app.locale);
  const changed = name.trim() !== (account.name ?? "") || locale !== (account.locale ?? app.locale);

  const submit = (event) => {
    event.preventDefault();
    return call.run(async () => {
      onSaved(await app.auth.patch("/v1/account", { name: name.trim() || null, locale }));
      if (locale !== app.locale) await app.setLocale(locale);
      app.announce(app.t("ui.account.saved"));
    });
  };

  return html`<section aria-labelledby="profile">
    <h2 class="hidden" id="profile">${app.t("ui.account.profile")}</h2>
    <div class="identity">
      <span class="avatar" aria-hidden="true">${(account.name || account.email)[0]}</span>
      <p>${account.name && html`<strong>${account.name}</strong><br />`}<span class=${account.name ? "muted" : ""}>${account.email}</span></p>
    </div>
    <form onSubmit=${submit} novalidate>
      <${Alert} problem=${call.problem} />
      <${Field} id="name" label=${app.t("ui.account.name")} hint=${app.t("ui.account.name_hint")} autocomplete="name" value=${name}
        problem=${call.problem?.field && call.problem} onInput=${(event) => setName(event.currentTarget.value)} />
      <div class="field">
        <label for="locale">${app.t("ui.language")}</label>
        <select class="input" id="locale" value=${locale} aria-describedby="locale-hint" onChange=${(event) => setLocale(event.currentTarget.value)}>
          ${app.config.locales.map((one) => html`<option key=${one} value=${one} lang=${one}>${localeName(one)}</option>`)}
        </select>
        <p class="hint small" id="locale-hint">${app.t("ui.account.language_hint")}</p>
      </div>
      ${changed && html`<${Button} kind="primary" type="submit" busy=${call.busy}>${app.t("ui.account.save")}<//>`}
    </form>
  </section>`;
}

function SignOut({ leaving }) {
  const app = useApp();
  const call = useCall();
  const leave = () =>
    call.run(async () => {
      leaving.current = true;
      await app.auth.signOut().finally(() => (leaving.current = false));
      app.go("/ui/signed-out", { replace: true });
    });
  return html`<div class="section">
    <${Alert} problem=${call.problem} />
    <${Button} busy=${call.busy} onClick=${leave}><${Icon} name="out" />${app.t("ui.account.sign_out")}<//>
  </div>`;
}
