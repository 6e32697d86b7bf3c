import { createClient } from "/aero2.js";

const settings = await (await fetch("/settings.json")).json(); // { "issuer": "…", "clientId": "…" }
export const aero2 = createClient(settings);
const [greeting, load, profile] = ["greeting", "load", "profile"].map((id) => document.getElementById(id));

function show(session) {
  greeting.textContent = session ? `Hello, ${session.user.email}.` : "Sign in to see your notes.";
  load.hidden = !session;
  profile.hidden = true;
}

load.addEventListener("click", async () => {
  const response = await aero2.fetch(`${settings.issuer}/oauth2/userinfo`);
  profile.textContent = JSON.stringify(await response.json(), null, 2);
  profile.hidden = false;
});

aero2.userButton("#user");
aero2.onChange(show);
try {
  show(await aero2.session());
} catch (error) {
  greeting.textContent = `You are not signed in: ${error.code}`;
}
