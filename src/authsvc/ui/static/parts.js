// The small pieces all screens are made of.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { useApp } from "./context.js";
import { explain } from "./wording.js";

export const Icon = ({ name }) =>
  html`<svg class="icon" aria-hidden="true" focusable="false"><use href=${`#i-${name}`} /></svg>`;

let arrived = false;

/** True until the first screen of this page load is up: only then may a field take the focus. */
export const arriving = () => !arrived;

/** The first heading of a step: names the page, and takes the focus of every step but the first. */
export function Heading({ children, title, problem }) {
  const app = useApp();
  const ref = useRef(null);
  useLayoutEffect(() => {
    if (arrived) ref.current.focus();
    arrived = true;
  }, []);
  const text = title ?? [children].flat(9).join("");
  const name = problem ? app.t("ui.problem_title", { title: text }) : text;
  useLayoutEffect(() => {
    document.title = name.includes(app.config.app) ? name : `${name} · ${app.config.app}`;
  }, [name, app.config.app]);
  return html`<h1 tabindex="-1" ref=${ref}>${children}</h1>`;
}

/** A button that says when it works and cannot be pressed twice meanwhile. */
export function Button({ busy, kind = "", type = "button", children, ...rest }) {
  const app = useApp();
  return html`<button type=${type} class=${`button ${kind}`} aria-disabled=${busy ? "true" : undefined} ...${rest} onClick=${busy ? halt : rest.onClick}>
    ${busy ? app.t("ui.working") : children}
  </button>`;
}

export function TextButton({ disabled, children, ...rest }) {
  return html`<button type="button" class="text-button" ...${rest} aria-disabled=${disabled ? "true" : undefined} onClick=${disabled ? halt : rest.onClick}>${children}</button>`;
}

const halt = (event) => event.preventDefault();

/** A link to another screen; the browser's own ways to open it go on working. */
export function ScreenLink({ to, kind = "text-button", children, how }) {
  const app = useApp();
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    app.go(to, how);
  };
  return html`<a class=${kind} href=${to} onClick=${follow}>${children}</a>`;
}

/** One labelled input with its hint and its problem; a new problem takes the focus. */
export function Field({ id, label, hint, problem, code, focused, ...input }) {
  const ref = useRef(null);
  useEffect(() => {
    if (focused) ref.current.focus();
  }, []);
  useEffect(() => {
    if (problem) ref.current.focus();
  }, [problem]);
  const described = [problem && `${id}-problem`, hint && `${id}-hint`].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input
      ref=${ref} id=${id} name=${id} class=${code ? "input code" : "input"}
      aria-invalid=${problem ? "true" : undefined} aria-describedby=${described || undefined}
      ...${input}
    />
    ${problem && html`<p class="field-problem" id=${`${id}-problem`} role="alert"><${Icon} name="alert" /><span>${problem.text}</span></p>`}
    ${hint && html`<p class="hint small" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/** One field for the whole code: paste, autofill and blanks work; nothing is submitted by surprise. */
export const CodeField = (props) =>
  html`<${Field} id="code" code type="text" inputmode="numeric" autocomplete="one-time-code" autocapitalize="off" spellcheck=${false} ...${props} />`;

export function Notice({ kind = "", icon = "info", children }) {
  return html`<div class=${`notice ${kind}`}><${Icon} name=${icon} /><div>${children}</div></div>`;
}

/** The one alert of a form, for what no single field is to blame for. */
export function Alert({ problem }) {
  const app = useApp();
  if (!problem || problem.field) return null;
  return html`<div class="notice danger" role="alert">
    <${Icon} name="alert" />
    <div>
      ${problem.title && html`<strong>${problem.title}</strong>`}
      <p>${problem.text}</p>
      ${problem.requestId && html`<p class="small muted">${app.t("ui.request_id", { id: problem.requestId })}</p>`}
    </div>
  </div>`;
}

export const AccountRow = ({ account, children }) =>
  html`<div class="account-row">
    <span class="avatar" aria-hidden="true">${account?.[0]}</span>
    <div><p><strong>${account}</strong></p>${children}</div>
  </div>`;

/** Runs a call from a form: busy while it lasts, its refusal as a problem, stale answers dropped. */
export function useCall(fields = []) {
  const app = useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  useEffect(() => problem && markTitle(app), [problem]);

  const fail = (found) => setProblem(fields.includes(found?.field) ? found : found && { ...found, field: undefined });
  const run = async (work, refused) => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    const slow = setTimeout(() => app.announce(app.t("ui.working")), 700);
    try {
      await work();
    } catch (error) {
      if (alive.current && !refused?.(error)) fail(explain(app, error));
    } finally {
      clearTimeout(slow);
      if (alive.current) setBusy(false);
    }
  };
  return { busy, problem, run, fail };
}

/** Prefixes the page's title while a problem is shown; answers the function that takes it away. */
function markTitle(app) {
  const before = document.title;
  const marked = app.t("ui.problem_title", { title: before });
  document.title = marked;
  return () => {
    if (document.title === marked) document.title = before;
  };
}
