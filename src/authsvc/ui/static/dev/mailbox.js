// /dev/mailbox: what was sent, newest first, while it happens. English only: it is a tool.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Brand } from "../frame.js";
import { Heading, Icon, Notice, useCall } from "../parts.js";
import { ago } from "../wording.js";

const EVERY_MS = 1500;

export function Mailbox() {
  const app = useApp();
  const call = useCall();
  const [items, setItems] = useState(null);
  const [lost, setLost] = useState(false);
  const [open, setOpen] = useState(null);

  const look = () =>
    app.auth.get("/dev/mailbox.json").then(
      ({ items: found }) => (setItems(found), setLost(false)),
      () => setLost(true),
    );
  useEffect(() => {
    look();
    const timer = setInterval(() => document.visibilityState === "visible" && look(), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const clear = () => call.run(async () => (await app.auth.del("/dev/mailbox.json"), setItems([])));

  return html`<main class="card" lang="en">
    <${Brand} />
    <div class="mailbox-head">
      <${Heading}>Mailbox<//>
      ${items?.length > 0 && html`<button type="button" class="button small" onClick=${clear}>Empty it</button>`}
    </div>
    ${lost && html`<${Notice} icon="alert">The mailbox couldn’t be read. Trying again.<//>`}
    ${items?.length === 0 && html`<p class="muted empty">No messages yet. Ask for a sign-in link, and it shows up here by itself.</p>`}
    <ul class="rows mailbox">
      ${items?.map((item) => html`<${Message} key=${item.id} item=${item} open=${open === item.id} onToggle=${() => setOpen(open === item.id ? null : item.id)} />`)}
    </ul>
  </main>`;
}

function Message({ item, open, onToggle }) {
  const app = useApp();
  return html`<li>
    <div class="message">
      <${Icon} name=${item.channel === "sms" ? "phone" : "mail"} />
      <button type="button" class="what" aria-expanded=${open ? "true" : "false"} onClick=${onToggle}>
        <span class="subject">${item.subject ?? item.text}</span>
        <span class="small muted">${item.to} · ${ago(app, item.at)}</span>
      </button>
      <div class="message-ways">
        ${item.code && html`<${Copy} code=${item.code} />`}
        ${item.links.map(({ url, label }) => html`<a key=${url} class="button small" href=${url}>${label ?? "Open link"}</a>`)}
      </div>
    </div>
    ${open && html`<pre class="mono">${item.text}</pre>`}
  </li>`;
}

function Copy({ code }) {
  const app = useApp();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(code);
    setCopied(true);
    app.announce("Copied.");
  };
  return html`<button type="button" class="button small mono" title="Copy the code" aria-label=${`Copy the code ${code}`} onClick=${copy}>
    ${code}<${Icon} name=${copied ? "tick" : "copy"} />
  </button>`;
}
