// The end of every way to sign in: on to the app, or why not.
import { html } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Card } from "../frame.js";
import { Heading, ScreenLink } from "../parts.js";

/** Refusals that come once the address is proved. */
export const GATE = ["account_disabled", "sign_up_closed", "invitation_required"];

/** Goes where a finished step leads. The server has checked `return_to`. */
export function finish(app, envelope) {
  if (envelope.next !== "done") return app.go("/ui/error", { state: { step: envelope.next } });
  if (envelope.return_to) return app.leave(envelope.return_to);
  return app.go("/ui/account", { replace: true });
}

/** The address is proved, but there is no way in. */
export function Gate({ code }) {
  const app = useApp();
  const name = { app: app.config.app };
  const title = code === "sign_up_closed" ? app.t("ui.gate.closed", name) : app.t(`error.${code}.title`);
  const body = {
    sign_up_closed: () => app.t("ui.gate.closed_body"),
    invitation_required: () => app.t("ui.gate.invite", name),
    account_disabled: () => `${app.t("error.account_disabled.detail")} ${app.t("error.account_disabled.fix")}`,
  }[code];
  return html`<${Card}>
    <div class="lead">
      <${Heading} problem>${title}<//>
      <p>${body()}</p>
    </div>
    <${ScreenLink} kind="button primary" to="/ui/sign-in">${app.t("ui.gate.other")}<//>
  <//>`;
}
