// Web-mail of well-known hosts: a plain link beside "Check your e-mail".

const KNOWN = [
  ["Gmail", "https://mail.google.com/", ["gmail.com", "googlemail.com"]],
  ["Outlook", "https://outlook.live.com/mail/", ["outlook.com", "outlook.de", "hotmail.com", "hotmail.de", "live.com", "live.de", "msn.com"]],
  ["iCloud Mail", "https://www.icloud.com/mail/", ["icloud.com", "me.com", "mac.com"]],
  ["Yahoo Mail", "https://mail.yahoo.com/", ["yahoo.com", "yahoo.de", "yahoo.co.uk", "yahoo.fr", "ymail.com"]],
  ["Proton Mail", "https://mail.proton.me/", ["proton.me", "protonmail.com", "pm.me"]],
  ["Fastmail", "https://app.fastmail.com/", ["fastmail.com", "fastmail.fm"]],
  ["GMX", "https://www.gmx.net/", ["gmx.de", "gmx.net", "gmx.at", "gmx.ch"]],
  ["WEB.DE", "https://web.de/", ["web.de"]],
  ["T-Online", "https://email.t-online.de/", ["t-online.de", "magenta.de"]],
  ["mailbox.org", "https://login.mailbox.org/", ["mailbox.org"]],
  ["Posteo", "https://posteo.de/", ["posteo.de", "posteo.net"]],
];

/** `{name, url}` of the web-mail that reads this address, or undefined. */
export function webmailFor(address) {
  const host = address.split("@").at(-1).toLowerCase();
  const found = KNOWN.find(([, , hosts]) => hosts.includes(host));
  return found && { name: found[0], url: found[1] };
}
