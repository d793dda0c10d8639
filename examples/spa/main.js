import { AUTH, ORDERS } from "./config.js";

const show = (id) => document.getElementById(id);

// Open to everybody: no token needed.
const { items } = await fetch(`${ORDERS}/api/catalogue`).then((r) => r.json());
show("catalogue").textContent = items.join(", ");

// The five lines. With a bundler the first one is: import { createAuthsvc } from "@authsvc/client";
const { createAuthsvc } = await import(`${AUTH}/ui/lib/authsvc.js`);
const auth = createAuthsvc(AUTH, { apis: [ORDERS] });
if ((await auth.resume()).next !== "done") await auth.signIn(); // hosted screens, returns here
const orders = await auth.fetch(`${ORDERS}/api/orders`).then((r) => r.json());
document.querySelector("#out").onclick = () => auth.signOut();

show("who").textContent = auth.user.name ?? auth.user.email;
show("out").hidden = false;
show("orders").replaceChildren(...orders.items.map(line));

auth.on("signed_out", () => {
  show("who").textContent = "";
  show("out").hidden = true;
  show("orders").replaceChildren();
  show("note").replaceChildren("You are signed out. ", button("Sign in", () => auth.signIn()));
});

function line({ number, what, state }) {
  const item = document.createElement("li");
  item.append(`${what}: ${state} `, button("Cancel", () => cancel(number)));
  return item;
}

function button(label, onclick) {
  return Object.assign(document.createElement("button"), { textContent: label, onclick });
}

// The service wants a second step here. Its answer says so in a form that programs understand.
async function cancel(number) {
  const answer = await auth.fetch(`${ORDERS}/api/orders/${number}`, { method: "DELETE" });
  const body = await answer.json();
  show("note").textContent = answer.ok ? `Order ${number} is ${body.state}.` : `${body.title} (${body.code})`;
}
