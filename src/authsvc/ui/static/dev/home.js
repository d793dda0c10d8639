// /dev: where things are, who can sign in, and a picture of every screen. English only: it is a tool.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Brand } from "../frame.js";
import { Alert, Heading, Icon, Notice, ScreenLink, useCall } from "../parts.js";
import { startEmail } from "../screens/sign-in.js";
import { Controls } from "./controls.js";
import { gallery } from "./gallery.js";
import { Stage } from "./stage.js";

export function DevHome({ route }) {
  const shown = route.query.get("screen");
  return shown ? html`<${Stage} id=${shown} />` : html`<${Overview} />`;
}

function Overview() {
  return html`<main class="card" lang="en">
    <${Brand} />
    <div class="lead">
      <${Heading}>Dev mode<//>
      <p>One process, nothing leaves this machine. Mail lands in the mailbox, and every screen can be looked at below.</p>
    </div>
    <${People} />
    <${Places} />
    <${Controls} />
    <${Settings} />
    <${Gallery} />
  </main>`;
}

function useAnswer(path) {
  const app = useApp();
  const [answer, setAnswer] = useState(null);
  useEffect(() => {
    app.auth.get(path).then(setAnswer, () => setAnswer({ failed: true }));
  }, [path]);
  return answer;
}

function People() {
  const app = useApp();
  const call = useCall();
  const people = useAnswer("/dev/people.json");
  const enter = (email) =>
    call.run(async () => {
      const envelope = await startEmail(app, email, {});
      app.go("/ui/check-email", { state: { envelope, at: Date.now(), email } });
    });
  return html`<section class="section" aria-labelledby="people">
    <h2 id="people">People</h2>
    <p class="muted small">A button sends that person’s sign-in mail to the mailbox.</p>
    <${Alert} problem=${call.problem} />
    ${people?.failed && html`<${Notice} icon="alert">The list of people couldn’t be read.<//>`}
    <ul class="rows people">
      ${people?.items?.map(
        ({ email, name, roles, note }) => html`<li key=${email}>
          <span class="avatar" aria-hidden="true">${(name || email)[0]}</span>
          <div class="what">
            <p>${name || email}</p>
            <p class="small muted">${[email, roles.join(", "), note].filter(Boolean).join(" · ")}</p>
          </div>
          <button type="button" class="button small" aria-disabled=${call.busy ? "true" : undefined} onClick=${() => enter(email)}>
            Sign in as ${email.split("@")[0]}
          </button>
        </li>`,
      )}
    </ul>
  </section>`;
}

const PLACES = [
  ["mail", "/dev/mailbox", "Mailbox", "Mails as they were sent, with links and codes"],
  ["arrow", "/ui/sign-in", "Sign in", "The hosted screen a SPA opens"],
  ["arrow", "/ui/account", "Your account", "Profile and sessions of whoever is signed in"],
  ["open", "/v1/openapi.json", "OpenAPI document", "Every route, schema and error code"],
  ["open", "/.well-known/jwks.json", "Public keys", "What other services check tokens with"],
  ["open", "/.well-known/oauth-authorization-server", "Metadata", "Issuer, algorithms, addresses"],
  ["open", "/ui/lib/authsvc.js", "Browser client", "The file a SPA imports"],
];

function Places() {
  return html`<section class="section" aria-labelledby="places">
    <h2 id="places">Places</h2>
    <ul class="rows">
      ${PLACES.map(
        ([icon, path, name, note]) => html`<li key=${path}>
          <${Icon} name=${icon} />
          <div class="what"><p><a href=${path}>${name}</a></p><p class="small muted">${note}</p></div>
        </li>`,
      )}
    </ul>
  </section>`;
}

function Settings() {
  const { config } = useApp();
  const metadata = useAnswer("/.well-known/oauth-authorization-server");
  const facts = {
    Address: location.origin,
    Issuer: metadata?.issuer,
    "Sign-up": config.sign_up,
    "Ways to sign in": config.methods.map((method) => method.label ?? method.type).join(", "),
    Languages: config.locales.join(", "),
    "Quick check": config.challenge_provider ?? "off",
  };
  return html`<section class="section" aria-labelledby="settings">
    <h2 id="settings">Settings in force</h2>
    <dl class="facts">
      ${Object.entries(facts).filter(([, value]) => value).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd class="mono small">${value}</dd>`)}
    </dl>
  </section>`;
}

function Gallery() {
  return html`<section class="section" aria-labelledby="gallery">
    <h2 id="gallery">Every screen, in each state</h2>
    <p class="muted small">With canned answers: nothing is sent, nothing is changed.</p>
    <ul class="gallery">
      ${gallery.map(({ id, name }) => html`<li key=${id}><${ScreenLink} to=${`/dev?screen=${id}`}>${name}<//></li>`)}
    </ul>
  </section>`;
}
