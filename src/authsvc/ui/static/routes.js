// Which screen an address shows. Screens that few people see are fetched when they are asked for.
import { Card } from "./frame.js";
import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { CheckEmail } from "./screens/check-email.js";
import { ErrorPage, SignedOut } from "./screens/ends.js";
import { Link } from "./screens/link.js";
import { SignIn } from "./screens/sign-in.js";

const later = (load) =>
  function Later(props) {
    const [Screen, setScreen] = useState(null);
    useEffect(() => {
      load().then((found) => setScreen(() => found));
    }, []);
    return Screen ? html`<${Screen} ...${props} />` : html`<${Card} busy />`;
  };

const Account = later(async () => (await import("./screens/account.js")).Account);
const DevHome = later(async () => (await dressed(import("./dev/home.js"))).DevHome);
const Mailbox = later(async () => (await dressed(import("./dev/mailbox.js"))).Mailbox);

/** The module, once the dev pages' style sheet is there too. */
async function dressed(module) {
  const href = "/ui/static/dev/dev.css";
  if (!document.querySelector(`link[href="${href}"]`)) {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    await new Promise((resolve) => {
      link.onload = link.onerror = resolve;
      document.head.append(link);
    });
  }
  return module;
}

const SCREENS = {
  "/ui": { screen: Account },
  "/ui/sign-in": { screen: SignIn },
  "/ui/check-email": { screen: CheckEmail },
  "/ui/link": { screen: Link },
  "/ui/signed-out": { screen: SignedOut },
  "/ui/error": { screen: ErrorPage },
  "/ui/account": { screen: Account },
  "/dev": { screen: DevHome, wide: true },
  "/dev/mailbox": { screen: Mailbox, wide: true },
};

/** `{screen, wide, params}` for a path. */
export function match(path) {
  const plain = path.replace(/\/+$/, "") || "/ui";
  if (SCREENS[plain]) return { params: {}, ...SCREENS[plain] };
  const code = /^\/errors\/([a-z_]+)$/.exec(plain)?.[1] ?? "not_found";
  return { screen: ErrorPage, params: { code } };
}
