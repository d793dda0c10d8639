// Words: one flat catalogue, `{name}` and `{n, plural, one {…} other {# …}}`.

const STORED = "authsvc.locale";

/** Said when the catalogue itself cannot be had. */
const LAST_WORDS = {
  en: ["We couldn’t load this page. Check your connection.", "Try again"],
  de: ["Diese Seite konnte nicht geladen werden. Prüfen Sie Ihre Verbindung.", "Noch einmal versuchen"],
};

/** Sentence and button for a page without a catalogue. */
export function lastWords() {
  return navigator.language.startsWith("de") ? LAST_WORDS.de : LAST_WORDS.en;
}

/** The language to use: asked for, chosen before, or the browser's first that we speak. */
export function pickLocale(available, asked) {
  const wanted = [...(asked ?? "").split(/[\s,]+/), stored(), ...navigator.languages];
  for (const tag of wanted) {
    const match = tag && available.find((locale) => [tag, tag.split("-")[0]].some((one) => one.toLowerCase() === locale.toLowerCase()));
    if (match) return match;
  }
  return available[0] ?? "en";
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

export function storeLocale(locale) {
  try {
    localStorage.setItem(STORED, locale);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}

/** A language in its own words: "Deutsch". */
export function localeName(locale) {
  const name = new Intl.DisplayNames([locale], { type: "language" }).of(locale) ?? locale;
  return name[0].toLocaleUpperCase(locale) + name.slice(1);
}

/** Fills a message of the catalogue. Unknown names stay empty. */
export function format(message, params, locale) {
  let out = "";
  for (let at = 0; at < message.length; ) {
    const open = message.indexOf("{", at);
    if (open < 0) return out + message.slice(at);
    const close = closing(message, open);
    out += message.slice(at, open) + fill(message.slice(open + 1, close), params, locale);
    at = close + 1;
  }
  return out;
}

function closing(message, open) {
  let depth = 0;
  for (let at = open; at < message.length; at += 1) {
    if (message[at] === "{") depth += 1;
    if (message[at] === "}" && (depth -= 1) === 0) return at;
  }
  return message.length;
}

function fill(body, params, locale) {
  const [name, kind] = body.split(",", 2).map((part) => part.trim());
  const value = params[name];
  if (kind !== "plural") return String(value ?? "");
  const branches = Object.fromEntries(branchesOf(body.slice(body.indexOf("plural") + 7)));
  const branch = branches[new Intl.PluralRules(locale).select(Number(value))] ?? branches.other ?? "";
  return format(branch.replaceAll("#", new Intl.NumberFormat(locale).format(Number(value))), params, locale);
}

function* branchesOf(text) {
  for (let open = text.indexOf("{"), from = 0; open >= 0; open = text.indexOf("{", from)) {
    const close = closing(text, open);
    yield [text.slice(from, open).trim().replace(/^,/, "").trim(), text.slice(open + 1, close)];
    from = close + 1;
  }
}
