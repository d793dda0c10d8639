// The package is the file the service itself serves at /ui/lib/authsvc.js, byte for byte.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";

const source = new URL("../../src/authsvc/ui/static/lib/authsvc.js", import.meta.url);
const dist = new URL("dist/", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

if (!readFileSync(source, "utf8").includes(`VERSION = "${version}"`)) {
  throw new Error(`package.json says ${version}, the client does not`);
}
mkdirSync(dist, { recursive: true });
copyFileSync(source, new URL("authsvc.js", dist));
