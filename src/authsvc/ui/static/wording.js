// Turns values of the API into words: times, durations, refusals.
import { html } from "./vendor/preact-htm.js";

/** Text with `*stress*` and `` `code` `` as nodes. */
export function rich(text) {
  return text.split(/(\*[^*]+\*|`[^`]+`)/).map((part) => {
    if (part.length > 2 && part[0] === "*") return html`<em>${part.slice(1, -1)}</em>`;
    if (part.length > 2 && part[0] === "`") return html`<code>${part.slice(1, -1)}</code>`;
    return part;
  });
}

/** Text with one value set apart, as in an address inside a sentence. */
export function stress(text, value) {
  const at = value ? text.indexOf(value) : -1;
  if (at < 0) return text;
  return [text.slice(0, at), html`<strong>${value}</strong>`, text.slice(at + value.length)];
}

/** "2 minutes" for a number of seconds, rounded up. */
export function duration(app, seconds) {
  if (seconds < 60) return app.t("ui.duration.seconds", { n: Math.max(1, Math.ceil(seconds)) });
  if (seconds < 5400) return app.t("ui.duration.minutes", { n: Math.ceil(seconds / 60) });
  return app.t("ui.duration.hours", { n: Math.ceil(seconds / 3600) });
}

/** "11:10", with the day if it was not today. */
export function clock(app, instant) {
  const when = new Date(instant);
  const today = when.toDateString() === new Date().toDateString();
  const style = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(app.locale, style).format(when);
}

const STEPS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** "2 hours ago", as a <time> that holds the exact moment in its title. */
export function ago(app, instant) {
  const seconds = (Date.now() - new Date(instant).getTime()) / 1000;
  const [unit, size] = STEPS.find(([, length]) => seconds >= length) ?? [];
  const relative = new Intl.RelativeTimeFormat(app.locale, { numeric: "auto" });
  const text = unit ? relative.format(-Math.floor(seconds / size), unit) : app.t("ui.sessions.now");
  const exact = new Intl.DateTimeFormat(app.locale, { dateStyle: "full", timeStyle: "short" }).format(new Date(instant));
  return html`<time datetime=${instant} title=${exact}>${text}</time>`;
}

/**
 * What to say about a failed call: a short title, a sentence, and where to read on.
 * `field` names the input it belongs to.
 */
export function explain(app, error) {
  const { code, problem = {} } = error;
  if (!code) return { text: app.t("ui.unreachable", { app: app.config.app }) };
  const reference = { code, requestId: error.status >= 500 ? error.requestId : undefined };
  if (code === "code_incorrect" && error.attemptsLeft !== undefined) {
    const key = error.attemptsLeft > 0 ? "ui.code.incorrect" : "ui.code.spent";
    return { ...reference, field: "code", text: app.t(key, { app: app.config.app, n: error.attemptsLeft }) };
  }
  if (["temporarily_blocked", "too_many_attempts"].includes(code) && error.retryAfter) {
    const blocked = app.t("ui.blocked", { time: duration(app, error.retryAfter) });
    const also = code === "too_many_attempts" ? ` ${app.t("ui.blocked.link")}` : "";
    return { ...reference, text: blocked + also };
  }
  if (code === "validation_failed" && error.errors?.length) {
    const [first] = error.errors;
    return { ...reference, field: first.pointer.split("/").at(-1), text: first.detail ?? app.t("field.invalid") };
  }
  if (!app.messages[`error.${code}.title`]) return { ...reference, title: error.title, text: problem.detail ?? "" };
  return {
    ...reference,
    field: { code_incorrect: "code" }[code],
    title: app.t(`error.${code}.title`),
    text: app.t(`error.${code}.detail`),
  };
}
