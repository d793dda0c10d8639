// The hosted screens: boot, then one screen per address.
import { html, render, useEffect, useLayoutEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { createAuthsvc } from "../lib/authsvc.js";
import { AppContext } from "./context.js";
import { Frame } from "./frame.js";
import { format, lastWords, pickLocale, storeLocale } from "./i18n.js";
import { match } from "./routes.js";

const auth = createAuthsvc(location.origin, { clientId: "ui" });
const root = document.getElementById("root");

const words = async (locale) => (await auth.get(`/v1/i18n/${locale}`)).messages;

/** The screen that the address bar asks for. */
function routeNow() {
  return { path: location.pathname, query: new URLSearchParams(location.search), state: history.state, at: performance.now() };
}

function App({ config, first }) {
  const [language, setLanguage] = useState(first);
  const [route, setRoute] = useState(routeNow);
  const [said, setSaid] = useState("");

  useEffect(() => {
    const move = () => setRoute(routeNow());
    addEventListener("popstate", move);
    return () => removeEventListener("popstate", move);
  }, []);
  useLayoutEffect(() => {
    document.documentElement.lang = language.locale;
  }, [language.locale]);

  const app = useMemo(() => {
    const { locale, messages } = language;
    return {
      auth,
      config,
      locale,
      messages,
      t: (key, params = {}) => format(messages[key] ?? key, params, locale),
      go(path, { state = null, replace = false } = {}) {
        history[replace ? "replaceState" : "pushState"](state, "", path);
        setSaid("");
        setRoute(routeNow());
        scrollTo(0, 0);
      },
      hideQuery: () => history.replaceState(history.state, "", location.pathname),
      leave(url) {
        if (["http:", "https:"].includes(new URL(url, location.href).protocol)) location.assign(url);
      },
      // The same words once more must still be a change, or they are not read.
      announce: (text) => setSaid((before) => (before === text ? `${text}\u00a0` : text)),
      async setLocale(next) {
        const found = await words(next);
        storeLocale(next);
        setLanguage({ locale: next, messages: found });
      },
    };
  }, [config, language]);

  const { screen: Screen, wide, params } = match(route.path);
  return html`<${AppContext.Provider} value=${app}>
    <${Frame} wide=${wide} said=${said}><${Screen} key=${route.at} route=${{ ...route, params }} /><//>
  <//>`;
}

async function boot() {
  const config = await auth.get("/v1/config");
  const locale = pickLocale(config.locales, new URLSearchParams(location.search).get("ui_locales"));
  const first = { locale, messages: await words(locale) };
  render(html`<${App} config=${config} first=${first} />`, root);
}

/** Without settings or words there is nothing to draw with: one sentence and one button. */
function giveUp() {
  const [sentence, button] = lastWords();
  const again = () => {
    render(null, root);
    boot().catch(giveUp);
  };
  render(
    html`<div class="page"><div class="column"><main class="card stack">
      <p role="alert">${sentence}</p>
      <button type="button" class="button primary" onClick=${again}>${button}</button>
    </main></div></div>`,
    root,
  );
}

boot().catch(giveUp);
