// Screen 17, its first half: where a person is signed in, this browser first.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Alert, Button, Icon, Notice, useCall } from "../parts.js";
import { ago, explain } from "../wording.js";

const KINDS = { phone: "phone", tablet: "tablet", desktop: "desktop", cli: "terminal", app: "terminal" };

export function Sessions() {
  const app = useApp();
  const [items, setItems] = useState(null);
  const [said, setSaid] = useState(null);
  const call = useCall();

  const load = async () => {
    const { items: found } = await app.auth.get("/v1/account/sessions");
    setItems([...found].sort((a, b) => b.current - a.current));
  };
  useEffect(() => {
    load().catch((error) => call.fail(explain(app, error)));
  }, []);

  const say = (text) => {
    setSaid(text);
    app.announce(text);
  };
  const end = (session) =>
    call.run(async () => {
      await app.auth.del(`/v1/account/sessions/${session.id}`);
      setItems((now) => now.filter((item) => item.id !== session.id));
      say(app.t("ui.sessions.ended", { name: nameOf(app, session) }));
    });
  const endOthers = () =>
    call.run(async () => {
      const { revoked } = await app.auth.post("/v1/account/sessions/revoke", { scope: "others" });
      setItems((now) => now.filter((item) => item.current));
      say(app.t("ui.sessions.ended_others", { n: revoked }));
    });

  const others = items?.filter((item) => !item.current).length;
  return html`<section class="section" aria-labelledby="sessions">
    <h2 id="sessions">${app.t("ui.sessions.title")}</h2>
    <p class="muted small">${app.t(others === 0 ? "ui.sessions.only" : "ui.sessions.intro")}</p>
    <${Alert} problem=${call.problem} />
    ${said && html`<${Notice} kind="good" icon="tick">${said}<//>`}
    <ul class="rows">${items?.map((session) => html`<${Row} key=${session.id} session=${session} busy=${call.busy} onEnd=${() => end(session)} />`)}</ul>
    ${others > 0 && html`<${Button} kind="danger" busy=${call.busy} onClick=${endOthers}>${app.t("ui.sessions.end_others", { n: others })}<//>`}
  </section>`;
}

const nameOf = (app, { browser, os }) =>
  browser && os ? app.t("ui.sessions.browser", { browser, os }) : browser || os || app.t("ui.sessions.unknown");

function Row({ session, busy, onEnd }) {
  const app = useApp();
  const name = nameOf(app, session);
  const words = app.t("ui.sessions.seen", { when: "\u0000" }).split("\u0000");
  return html`<li>
    <${Icon} name=${KINDS[session.kind] ?? "desktop"} />
    <div class="what">
      <p>${name}</p>
      <p class="small muted">
        ${session.current ? html`<span class="tag">${app.t("ui.sessions.current")}</span>` : html`${words[0]}${ago(app, session.last_seen_at)}${words[1]}`}
        ${session.place && ` · ${session.place}`}
      </p>
    </div>
    ${!session.current &&
    html`<button type="button" class="button small" aria-disabled=${busy ? "true" : undefined} aria-label=${app.t("ui.sessions.end_named", { name })} onClick=${onEnd}>
      ${app.t("ui.sessions.end")}
    </button>`}
  </li>`;
}
