// What both programs share: settings, the client's key, and the browser, which is the test.
import { createInterface } from "node:readline/promises";

export const settings = {
  issuer: process.env.ISSUER,
  clientId: process.env.CLIENT_ID,
  redirectUri: process.env.REDIRECT_URI,
};

export function key() {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const jwk = JSON.parse(process.env.JWK);
  return crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
}

// Sends the browser to an address, and returns the address at which it came back.
export function ask(url) {
  console.log(url.href);
}

export async function answer() {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return line;
  }
}

export function report(result) {
  console.log(JSON.stringify(result));
  process.exit(0);
}
