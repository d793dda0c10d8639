// The clock and the data of a dev instance, with one button each.
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useApp } from "../context.js";
import { Alert, useCall } from "../parts.js";

const STEPS = [
  ["+15 minutes", 900],
  ["+1 hour", 3_600],
  ["+1 day", 86_400],
  ["+14 days", 14 * 86_400],
];

export function Controls() {
  const app = useApp();
  const call = useCall();
  const [now, setNow] = useState(null);
  useEffect(() => {
    app.auth.get("/dev/clock").then((clock) => setNow(clock.now), () => {});
  }, []);

  const move = (body) => call.run(async () => setNow((await app.auth.post("/dev/clock", body)).now));
  const reset = () =>
    call.run(async () => {
      await app.auth.post("/dev/reset");
      app.announce("Seeded again.");
    });
  const button = (text, onClick) =>
    html`<button type="button" class="button small" aria-disabled=${call.busy ? "true" : undefined} onClick=${onClick}>${text}</button>`;

  return html`<section class="section" aria-labelledby="controls">
    <h2 id="controls">Time and data</h2>
    <p class="muted small">The service’s clock${now && html` says <time datetime=${now}>${now}</time>`}. Tokens, sessions and messages age with it.</p>
    <${Alert} problem=${call.problem} />
    <div class="controls">
      ${STEPS.map(([text, seconds]) => button(text, () => move({ advance: seconds })))}
      ${button("Back to the real time", () => move({ reset: true }))}
      ${button("Seed people again", reset)}
    </div>
  </section>`;
}
