// Around every screen: dev banner, card, language, appearance.
import { html, useState } from "./vendor/preact-htm.js";
import { useApp } from "./context.js";
import { localeName } from "./i18n.js";
import { Icon, ScreenLink } from "./parts.js";

const THEMES = [
  ["system", "desktop"],
  ["light", "sun"],
  ["dark", "moon"],
];

function Theme() {
  const app = useApp();
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const choose = (name) => {
    setTheme(name);
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem("authsvc.theme", name);
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
  };
  return html`<fieldset class="theme">
    <legend class="hidden">${app.t("ui.theme")}</legend>
    ${THEMES.map(
      ([name, icon]) => html`<label key=${name} title=${app.t(`ui.theme.${name}`)}>
        <input class="hidden" type="radio" name="theme" checked=${theme === name} onChange=${() => choose(name)} />
        <span class="hidden">${app.t(`ui.theme.${name}`)}</span>
        <${Icon} name=${icon} />
      </label>`,
    )}
  </fieldset>`;
}

function Language() {
  const app = useApp();
  if (app.config.locales.length < 2) return null;
  return html`<label class="language">
    <${Icon} name="globe" />
    <span class="hidden">${app.t("ui.language")}</span>
    <select value=${app.locale} onChange=${(event) => app.setLocale(event.currentTarget.value)}>
      ${app.config.locales.map((locale) => html`<option key=${locale} value=${locale} lang=${locale}>${localeName(locale)}</option>`)}
    </select>
  </label>`;
}

function Links() {
  const app = useApp();
  const links = Object.entries(app.config.links ?? {}).filter(([, url]) => url);
  if (!links.length) return null;
  return html`<nav class="foot-links small">
    ${links.map(([name, url]) => html`<a key=${name} href=${url} rel="noreferrer">${app.t(`ui.links.${name}`)}</a>`)}
  </nav>`;
}

function DevBanner() {
  const app = useApp();
  return html`<nav class="dev-banner small" aria-label=${app.t("ui.dev.banner")}>
    <strong>${app.t("ui.dev.banner")}</strong>
    <${ScreenLink} kind="" to="/dev">${app.t("ui.dev.home")}<//>
    <${ScreenLink} kind="" to="/dev/mailbox">${app.t("ui.dev.mailbox")}<//>
  </nav>`;
}

export function Brand() {
  const { app: name } = useApp().config;
  return html`<p class="brand"><span class="brand-mark" aria-hidden="true">${name.trim()[0]?.toUpperCase()}</span>${name}</p>`;
}

/** The page. `wide` is for lists; the live region says what changed without moving the focus. */
export function Frame({ wide, said, children }) {
  const app = useApp();
  return html`<div class="page">
    ${app.config.dev && html`<${DevBanner} />`}
    <div class=${wide ? "column wide" : "column"}>
      ${children}
      <footer class="foot small"><${Language} /><${Theme} /><${Links} /></footer>
    </div>
    <p class="hidden" role="status" aria-live="polite">${said}</p>
  </div>`;
}

/** The card most screens sit in; a busy one keeps its place until there is something to say. */
export function Card({ children, busy }) {
  const app = useApp();
  return html`<main class=${busy ? "card busy" : "card"} aria-busy=${busy ? "true" : undefined}>
    <${Brand} />
    <div class="stack">${busy ? html`<p class="muted">${app.t("ui.loading")} …</p>` : children}</div>
  </main>`;
}
