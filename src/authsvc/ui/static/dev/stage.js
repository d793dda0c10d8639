// Shows one state of the gallery: the real screen, with a client that answers from the list.
import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../vendor/preact-htm.js";
import { AuthsvcError } from "../../lib/authsvc.js";
import { AppContext, useApp } from "../context.js";
import { Icon, ScreenLink } from "../parts.js";
import { match } from "../routes.js";
import { gallery } from "./gallery.js";

export function Stage({ id }) {
  const app = useApp();
  const at = gallery.findIndex((state) => state.id === id);
  if (at < 0) return html`<p>No such screen. <${ScreenLink} to="/dev">Back<//></p>`;
  const state = gallery[at];
  const step = (by) => `/dev?screen=${gallery[(at + by + gallery.length) % gallery.length].id}`;
  const canned = useMemo(() => cannedApp(app, state), [state.id, app.locale]);
  const { screen: Screen, params } = match(state.path.split("?")[0]);
  const query = new URLSearchParams(state.path.split("?")[1]);
  const root = useRef(null);

  useLayoutEffect(() => {
    document.querySelector(".column").classList.remove("wide");
    return () => document.querySelector(".column")?.classList.add("wide");
  }, []);
  useEffect(() => act(root.current, state.act), [state.id]);

  return html`<nav class="stage-bar small" aria-label="Gallery" lang="en">
      <${ScreenLink} to=${step(-1)}>Previous<//>
      <${ScreenLink} to="/dev">${state.name}<//>
      <${ScreenLink} to=${step(1)}>Next<${Icon} name="arrow" /><//>
    </nav>
    <div ref=${root}>
      <${AppContext.Provider} value=${canned}>
        <${Screen} key=${state.id} route=${{ path: state.path, query, params, state: state.state ?? null }} />
      <//>
    </div>`;
}

/** The page's own app, but nothing is sent and nowhere is gone to. */
function cannedApp(app, state) {
  const answer = async (call) => {
    const found = state.answers?.[call];
    if (found === undefined) return new Promise(() => {});
    if (found.status) throw new AuthsvcError({ title: found.code, ...found });
    return found;
  };
  const auth = {
    user: state.user ?? null,
    session: null,
    on: () => () => {},
    resume: () => answer("POST /v1/session/resume"),
    get: (path) => answer(`GET ${path}`),
    post: (path) => answer(`POST ${path}`),
    patch: (path) => answer(`PATCH ${path}`),
    del: (path) => answer(`DELETE ${path}`),
    signOut: () => answer("POST /v1/logout"),
  };
  const config = { ...app.config, dev: false, methods: [{ type: "email" }] };
  return { ...app, auth, config, go: () => {}, leave: () => {}, hideQuery: () => {} };
}

/** Does what a person would: fills the fields and presses the button, as soon as they are there. */
function act(root, doing) {
  if (!doing) return;
  const perform = () => {
    const form = root.querySelector("form");
    const button = doing.press && root.querySelector(doing.press);
    if (doing.press ? !button : !form) return false;
    for (const [name, value] of Object.entries(doing.fill ?? {})) {
      const input = form.elements[name];
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    requestAnimationFrame(() => (button ? button.click() : form.requestSubmit()));
    return true;
  };
  if (perform()) return;
  const watcher = new MutationObserver(() => perform() && watcher.disconnect());
  watcher.observe(root, { childList: true, subtree: true });
  return () => watcher.disconnect();
}
