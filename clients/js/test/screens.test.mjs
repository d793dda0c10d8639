// What the hosted screens promise as files: words for everything, no dangerous sink, a small size.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { gallery } from "../../../src/authsvc/ui/static/dev/gallery.js";
import { format } from "../../../src/authsvc/ui/static/i18n.js";
import { webmailFor } from "../../../src/authsvc/ui/static/webmail.js";

const STATIC = new URL("../../../src/authsvc/ui/static/", import.meta.url);
const WORDS = new URL("../../../src/authsvc/platform/i18n/", import.meta.url);
const files = readdirSync(STATIC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.replace(/\/+/g, "/").slice(STATIC.pathname.length));
const read = (name) => readFileSync(new URL(name, STATIC), "utf8");
const own = files.filter((name) => !name.startsWith("vendor/") && /\.(js|css|html|svg)$/.test(name));
const scripts = own.filter((name) => name.endsWith(".js"));
const catalogue = (locale) => JSON.parse(readFileSync(new URL(`${locale}.json`, WORDS), "utf8"));
const locales = readdirSync(WORDS).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
const en = catalogue("en");

test("names, plurals and numbers are filled in", () => {
  const text = "{who} has {n, plural, one {# code} other {# codes}} for {app}.";
  assert.equal(format(text, { who: "Ann", n: 1, app: "Acme" }, "en"), "Ann has 1 code for Acme.");
  assert.equal(format(text, { who: "Ann", n: 1200, app: "Acme" }, "en"), "Ann has 1,200 codes for Acme.");
  assert.equal(format("{n, plural, one {# Minute} other {# Minuten}}", { n: 1200 }, "de"), "1.200 Minuten");
  assert.equal(format("{n, plural, other {always {app}}}", { n: 1, app: "Acme" }, "en"), "always Acme");
  assert.equal(format("no {value} here", {}, "en"), "no  here");
  assert.equal(format("nothing to fill", {}, "en"), "nothing to fill");
});

test("a value is never read as a message", () => {
  assert.equal(format("Hello {name}", { name: "{app} {n, plural, other {x}}", app: "Acme" }, "en"), "Hello {app} {n, plural, other {x}}");
});

for (const locale of locales) {
  test(`${locale}: same keys as English, same names in each text`, () => {
    const other = catalogue(locale);
    assert.deepEqual(Object.keys(other), Object.keys(en));
    const names = (text) => [...new Set(text.match(/\{[a-z_]+(?=[,}])/g))].sort();
    for (const [key, text] of Object.entries(other)) {
      assert.deepEqual(names(text), names(en[key]), key);
      assert.ok(text.trim(), key);
      assert.doesNotMatch(text, /'/, `${key}: a straight apostrophe starts a quotation in ICU`);
    }
  });
}

test("every key a screen asks for has words", () => {
  const asked = scripts.flatMap((name) => [...read(name).matchAll(/"((?:ui|field|mail)\.[a-z_.]+)"/g)].map((found) => found[1]));
  assert.ok(asked.length > 60);
  assert.deepEqual(asked.filter((key) => !(key in en)), []);
});

test("every refusal the gallery shows has its three texts", () => {
  const codes = new Set(gallery.flatMap((state) => Object.values(state.answers ?? {}).map((answer) => answer.code)).filter((code) => typeof code === "string"));
  assert.ok(codes.size > 8);
  for (const code of codes) for (const part of ["title", "detail", "fix"]) assert.ok(en[`error.${code}.${part}`], `${code}.${part}`);
});

test("each state of the gallery can be opened by its name", () => {
  const ids = gallery.map((state) => state.id);
  assert.deepEqual(ids, [...new Set(ids)]);
  for (const { path } of gallery) assert.match(path, /^\/(ui|errors)\//);
});

test("no screen reaches for what the policy forbids", () => {
  for (const name of scripts) {
    assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|dangerouslySet|\sstyle=|srcdoc/, name);
  }
  const shell = read("index.html");
  assert.doesNotMatch(shell, /<style|\sstyle=|\son[a-z]+=|<script>|<script (?!src=|type="module" src=)/);
  assert.deepEqual([...shell.matchAll(/(?:src|href)="([^"]+)"/g)].map((found) => found[1]).filter((url) => !url.startsWith("/ui/")), []);
});

test("nothing but a person's click leads to another host", () => {
  for (const name of own.filter((file) => file !== "webmail.js" && file !== "icon.svg")) {
    assert.doesNotMatch(read(name), /https?:\/\//, name);
  }
});

test("the whole weighs little", () => {
  const packed = (name) => gzipSync(readFileSync(new URL(name, STATIC)), { level: 9 }).length;
  assert.ok(packed("lib/authsvc.js") <= 6_000);
  const total = files.filter((name) => !name.endsWith("LICENSE")).reduce((sum, name) => sum + packed(name), 0);
  assert.ok(total + gzipSync(JSON.stringify(en)).length <= 60_000, `${total}`);
});

test("known web-mail is found by the host of the address alone", () => {
  assert.equal(webmailFor("Ann@GMail.com").name, "Gmail");
  assert.equal(webmailFor("gmail.com@example.com"), undefined);
});
