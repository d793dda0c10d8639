// Runs the recipe: a token per line on standard input, a JSON verdict per line on standard output.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { verifier } from "./recipe.mjs";

const { values } = parseArgs({
  options: {
    issuer: { type: "string" },
    audience: { type: "string" },
    acr: { type: "string" },
    "max-age": { type: "string" },
    role: { type: "string", multiple: true },
  },
});

const verify = verifier({ issuer: values.issuer, audience: values.audience });
const asked = {
  ...(values.role && { roles: values.role }),
  ...(values.acr && { acr: values.acr }),
  ...(values["max-age"] && { maxAge: Number(values["max-age"]) }),
};

for await (const token of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await verify(token, asked)));
}
process.exit(0); // without waiting for idle connections
