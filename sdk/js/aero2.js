/**
 * Sign-in with Aero2 for single-page applications: one module, without dependencies and without a build.
 *
 * The authorization code flow with PKCE (RFC 7636), as RFC 9700 and the best current practice for browser-based
 * applications ask for it. Tokens are kept in memory alone. The tabs of an origin share them over a BroadcastChannel,
 * so that one of them refreshes for all. Types and texts of the interface are in aero2.d.ts.
 */

const EARLY = 30_000; // milliseconds before its end at which a token is replaced
const DEADLINE = 15_000; // milliseconds of a request
const OTHERS = 150; // milliseconds in which other tabs answer
const SILENT = 8_000; // milliseconds of a sign-in without a page
const FORGOTTEN = 3_600_000; // milliseconds after which an unfinished sign-in is given up
const SILENTLY = "silent.";

export class Aero2Error extends Error {
  constructor(code, description) {
    super(description ? `${code}: ${description}` : code);
    this.name = "Aero2Error";
    this.code = code;
  }
}

export function createClient(options) {
  const client = new Client(options);
  client.open();
  return client;
}

class Client {
  #settings;
  #metadata = null;
  #tokens = null;
  #generation = 0; // counts sign-ins and sign-outs: what began before one must not end after it
  #refreshing = null;
  #started = null;
  #listeners = new Set();
  #channel = null;
  #name;

  constructor(options) {
    this.#settings = settingsOf(options);
    this.#name = `aero2:${this.#settings.issuer}:${this.#settings.clientId}`;
  }

  /** Joins the other tabs. In the frame of a silent sign-in, hands the answer to the page around it instead. */
  open() {
    if (answersParent(this.#settings.redirectUri)) {
      this.#started = new Promise(() => {}); // nothing else may happen in the frame
      return;
    }
    if (typeof BroadcastChannel === "function") {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = (event) => this.#hear(event.data);
    }
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#ask(); // back from the cache: other tabs may have moved on
    });
  }

  async signIn({ returnTo = here(), ...parameters } = {}) {
    await this.#finishedStart();
    location.assign(await this.#authorizationUrl({ returnTo, parameters }));
    return new Promise(() => {}); // the page is left
  }

  async session() {
    this.#started ??= this.#start();
    await this.#started;
    if (this.#tokens && !isFresh(this.#tokens)) await this.#renew();
    return this.#tokens ? publicSession(this.#tokens) : null;
  }

  async token() {
    const session = await this.session();
    return session ? this.#tokens?.accessToken ?? null : null;
  }

  async fetch(input, init = {}) {
    const request = new Request(input, init);
    if (!this.#settings.apiOrigins.includes(new URL(request.url).origin)) {
      throw new Aero2Error("origin_not_allowed", `apiOrigins does not have ${new URL(request.url).origin}`);
    }
    const again = request.clone();
    const token = await this.token();
    const response = await fetch(withToken(request, token));
    if (response.status !== 401 || !token) return response;
    if (this.#tokens?.accessToken === token) await this.#renew(token); // it was revoked, or the clock is wrong
    const renewed = this.#tokens?.accessToken;
    return renewed && renewed !== token ? fetch(withToken(again, renewed)) : response;
  }

  async signOut({ returnTo = location.origin + "/" } = {}) {
    await this.#finishedStart();
    const { refreshToken, idToken } = this.#tokens ?? {};
    this.#leave({ tell: true });
    const metadata = await this.#discover();
    if (refreshToken && metadata.revocation_endpoint) {
      await this.#post(metadata.revocation_endpoint, { token: refreshToken }).catch(() => null);
    }
    const url = new URL(metadata.end_session_endpoint);
    url.searchParams.set("client_id", this.#settings.clientId);
    url.searchParams.set("post_logout_redirect_uri", returnTo);
    if (idToken) url.searchParams.set("id_token_hint", idToken);
    location.assign(url);
    return new Promise(() => {});
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  userButton(element, texts = {}) {
    return mountButton(this, element, texts, this.#settings.issuer);
  }

  // ---- start: a callback, another tab, or the user's session at the issuer ----

  async #finishedStart() {
    await this.#started?.catch(() => null);
  }

  async #start() {
    const answer = ownAnswer(this.#settings.redirectUri);
    if (answer) return this.#finishSignIn(answer);
    if (await this.#ask()) return undefined;
    if (this.#settings.silent) await this.#signInSilently();
    return undefined;
  }

  async #finishSignIn(answer) {
    const state = answer.get("state");
    const stored = takeTransaction(this.#name, state);
    history.replaceState(history.state, "", stored?.returnTo ?? new URL(this.#settings.redirectUri).pathname);
    if (!stored) throw new Aero2Error("state_unknown", "this sign-in was not started here, or is finished");
    await this.#redeem(answer, stored, this.#settings.redirectUri);
  }

  async #redeem(answer, stored, redirectUri) {
    const metadata = await this.#discover();
    const issuer = answer.get("iss");
    if (issuer !== null && issuer !== metadata.issuer) throw new Aero2Error("issuer_mismatch"); // RFC 9207
    if (answer.get("error")) throw new Aero2Error(answer.get("error"), answer.get("error_description"));
    const generation = this.#generation;
    const body = await this.#post(metadata.token_endpoint, {
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: redirectUri,
      code_verifier: stored.verifier,
    });
    const claims = this.#checkedClaims(body.id_token, stored.nonce);
    if (generation === this.#generation) this.#enter(tokensOf(body, claims), { tell: true });
  }

  /** The issuer's session signs the user in without a page, where the browser sends its cookie to a frame. */
  async #signInSilently() {
    try {
      const url = await this.#authorizationUrl({ silent: true, parameters: { prompt: "none" } });
      const answer = await framedAnswer(url);
      const stored = answer && takeTransaction(this.#name, answer.get("state"));
      if (stored) await this.#redeem(answer, stored, this.#settings.redirectUri);
    } catch (error) {
      if (!(error instanceof Aero2Error)) throw error; // login_required and the like: nobody is signed in
    }
  }

  async #authorizationUrl({ returnTo = "/", silent = false, parameters = {} }) {
    if (!globalThis.crypto?.subtle) throw new Aero2Error("insecure_context", "use https, or localhost");
    const metadata = await this.#discover();
    const transaction = { verifier: random(), nonce: random(), returnTo: sameOrigin(returnTo), at: Date.now() };
    const state = (silent ? SILENTLY : "") + random();
    keepTransaction(this.#name, state, transaction);
    const url = new URL(metadata.authorization_endpoint);
    const own = {
      response_type: "code",
      client_id: this.#settings.clientId,
      redirect_uri: this.#settings.redirectUri,
      scope: this.#settings.scope,
      state,
      nonce: transaction.nonce,
      code_challenge: await challengeOf(transaction.verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries({ ...this.#settings.parameters, ...parameters, ...own })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  }

  /** The ID token came from the token endpoint over TLS, so its signature need not be checked (OpenID Connect Core
   * 3.1.3.7). The clock of a browser is often wrong, so no time is compared with it. */
  #checkedClaims(idToken, nonce) {
    const claims = claimsOf(idToken);
    const audience = [claims.aud].flat();
    if (claims.iss !== this.#settings.issuer) throw new Aero2Error("id_token_invalid", "another issuer");
    if (!audience.includes(this.#settings.clientId)) throw new Aero2Error("id_token_invalid", "another client");
    if (nonce !== undefined && claims.nonce !== nonce) throw new Aero2Error("id_token_invalid", "another nonce");
    return claims;
  }

  // ---- refresh ----

  /** Replaces the access token `stale`, or the one that ends soon. One request for all calls of a tab. */
  async #renew(stale = this.#tokens?.accessToken) {
    this.#refreshing ??= this.#locked(stale).finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  async #locked(stale) {
    const refresh = () => this.#refreshUnlessDone(stale);
    return navigator.locks ? navigator.locks.request(this.#name, refresh) : refresh();
  }

  /** Another tab may have refreshed while this one waited for the lock, or slept. */
  async #refreshUnlessDone(stale) {
    if (this.#replaced(stale) || ((await this.#ask()) && this.#replaced(stale))) return;
    const { refreshToken, claims } = this.#tokens ?? {};
    if (!refreshToken) {
      if (this.#tokens) await this.#signInAgain();
      return;
    }
    await this.#refresh(refreshToken, claims);
  }

  #replaced(stale) {
    return this.#tokens === null || (this.#tokens.accessToken !== stale && isFresh(this.#tokens));
  }

  async #refresh(refreshToken, claims) {
    const generation = this.#generation;
    try {
      const metadata = await this.#discover();
      const body = await this.#post(metadata.token_endpoint, {
        grant_type: "refresh_token",
        refresh_token: refreshToken,
      });
      const latest = body.id_token ? this.#checkedClaims(body.id_token) : claims;
      if (latest.sub !== claims.sub) throw new Aero2Error("invalid_grant", "another user"); // Core 12.2
      if (generation !== this.#generation) return; // signed out, or somebody else, in the meantime
      this.#enter(tokensOf({ refresh_token: refreshToken, ...body }, { ...claims, ...latest }, this.#tokens), {
        tell: true,
        sameSession: true,
      });
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error.code === "invalid_grant") this.#leave({ tell: true });
      else if (!this.#tokens || hasEnded(this.#tokens)) throw error; // else it is good for some seconds more
    }
  }

  async #signInAgain() {
    const generation = this.#generation;
    const ended = this.#tokens;
    if (this.#settings.silent) await this.#signInSilently();
    if (generation === this.#generation && this.#tokens === ended) this.#leave({ tell: false });
  }

  // ---- tabs ----

  #enter(tokens, { tell, sameSession = false }) {
    const before = this.#tokens;
    if (!sameSession) this.#generation += 1;
    this.#tokens = tokens;
    if (tell) this.#channel?.postMessage({ kind: "tokens", tokens });
    if (!before || before.claims.sub !== tokens.claims.sub) this.#changed();
  }

  #leave({ tell }) {
    const was = this.#tokens;
    this.#generation += 1;
    this.#tokens = null;
    if (tell) this.#channel?.postMessage({ kind: "signed_out", sid: was?.claims.sid, at: Date.now() });
    if (was) this.#changed();
  }

  #hear(message) {
    if (message?.kind === "ask" && this.#tokens) {
      this.#channel.postMessage({ kind: "tokens", tokens: this.#tokens });
    } else if (message?.kind === "tokens") {
      this.#adopt(message.tokens);
    } else if (message?.kind === "signed_out") {
      if (!this.#tokens || this.#tokens.at <= message.at) this.#leave({ tell: false });
    }
  }

  #adopt(tokens) {
    if (this.#tokens && tokens.at <= this.#tokens.at) return;
    const sameSession = this.#tokens?.claims.sid === tokens.claims.sid;
    this.#enter(tokens, { tell: false, sameSession });
    if (!sameSession) this.#started = Promise.resolve();
  }

  /** Asks the other tabs for later tokens than ours. Returns whether there were any. */
  async #ask() {
    if (!this.#channel) return false;
    const before = this.#tokens?.accessToken;
    this.#channel.postMessage({ kind: "ask" });
    for (let waited = 0; waited < OTHERS && this.#tokens?.accessToken === before; waited += 10) await pause(10);
    return this.#tokens !== null && this.#tokens.accessToken !== before;
  }

  #changed() {
    const session = this.#tokens ? publicSession(this.#tokens) : null;
    for (const listener of [...this.#listeners]) {
      try {
        listener(session);
      } catch (error) {
        reportError(error); // one listener must not keep the others from hearing
      }
    }
  }

  // ---- the issuer ----

  async #discover() {
    this.#metadata ??= this.#metadataOfIssuer().catch((error) => {
      this.#metadata = null; // the next call tries again
      throw error;
    });
    return this.#metadata;
  }

  async #metadataOfIssuer() {
    const response = await send(`${this.#settings.issuer}/.well-known/openid-configuration`);
    const metadata = await response.json();
    if (metadata.issuer !== this.#settings.issuer) throw new Aero2Error("issuer_mismatch");
    return metadata;
  }

  async #post(url, parameters) {
    const body = new URLSearchParams({ ...parameters, client_id: this.#settings.clientId });
    const response = await send(url, { method: "POST", body });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Aero2Error(answer.error ?? `status_${response.status}`, answer.error_description);
    return answer;
  }
}

// ---- settings, tokens ----

function settingsOf(options) {
  for (const name of ["issuer", "clientId"]) {
    if (typeof options?.[name] !== "string") throw new Aero2Error("setting_missing", name);
  }
  const issuer = options.issuer.replace(/\/$/, "");
  return {
    issuer,
    clientId: options.clientId,
    redirectUri: new URL(options.redirectUri ?? "/callback", location.origin).href,
    scope: options.scope ?? "openid profile email offline_access",
    silent: options.silent ?? true,
    parameters: options.resource ? { resource: options.resource } : {},
    apiOrigins: [location.origin, new URL(issuer).origin, ...(options.apiOrigins ?? [])],
  };
}

function tokensOf(body, claims, before) {
  return {
    accessToken: body.access_token,
    refreshToken: body.refresh_token ?? null,
    idToken: body.id_token ?? before?.idToken ?? null,
    scope: body.scope ?? before?.scope ?? "",
    claims,
    at: Math.max(Date.now(), (before?.at ?? 0) + 1), // later than what it replaces, whatever the clock does
    endsAt: Date.now() + (body.expires_in ?? 60) * 1000,
  };
}

function isFresh(tokens) {
  return Date.now() < tokens.endsAt - EARLY;
}

function hasEnded(tokens) {
  return Date.now() >= tokens.endsAt;
}

function publicSession(tokens) {
  return { user: { ...tokens.claims }, scope: tokens.scope, expiresAt: new Date(tokens.endsAt) };
}

function withToken(request, token) {
  const headers = new Headers(request.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  return new Request(request, { headers });
}

function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Aero2Error("id_token_invalid", "it cannot be read");
  }
}

// ---- one sign-in, from its start to its answer ----

function keepTransaction(name, state, transaction) {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(`${name}:`) && isForgotten(sessionStorage.getItem(key))) sessionStorage.removeItem(key);
  }
  sessionStorage.setItem(`${name}:${state}`, JSON.stringify(transaction));
}

function isForgotten(text) {
  try {
    return !(Date.now() - JSON.parse(text).at < FORGOTTEN);
  } catch {
    return true;
  }
}

function takeTransaction(name, state) {
  const key = `${name}:${state}`;
  const text = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  return text === null || isForgotten(text) ? null : JSON.parse(text);
}

/** The answer of the authorization endpoint, if this page is the redirect URI and was called with one. */
function ownAnswer(redirectUri) {
  const parameters = new URLSearchParams(location.search);
  const isCallback = location.origin + location.pathname === redirectUri.split("?")[0];
  return isCallback && parameters.has("state") && (parameters.has("code") || parameters.has("error")) ? parameters : null;
}

function answersParent(redirectUri) {
  const answer = window.parent !== window && ownAnswer(redirectUri);
  if (!answer || !answer.get("state").startsWith(SILENTLY)) return false;
  window.parent.postMessage({ aero2: location.search }, location.origin);
  return true;
}

function framedAnswer(url) {
  const state = url.searchParams.get("state");
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.title = "";
  frame.src = url.href;
  return new Promise((resolve) => {
    const end = (answer) => {
      clearTimeout(timer);
      removeEventListener("message", hear);
      frame.remove();
      resolve(answer);
    };
    const hear = (event) => {
      if (event.source !== frame.contentWindow || event.origin !== location.origin) return;
      const answer = new URLSearchParams(event.data?.aero2 ?? "");
      if (answer.get("state") === state) end(answer);
    };
    const timer = setTimeout(() => end(null), SILENT);
    addEventListener("message", hear);
    document.body.append(frame);
  });
}

function here() {
  return location.pathname + location.search + location.hash;
}

function sameOrigin(returnTo) {
  const url = new URL(returnTo, location.origin);
  return url.origin === location.origin ? url.pathname + url.search + url.hash : "/";
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function send(url, init = {}) {
  try {
    return await fetch(url, { ...init, credentials: "omit", redirect: "error", signal: AbortSignal.timeout(DEADLINE) });
  } catch (error) {
    throw new Aero2Error("network", error.message);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// ---- the user button ----

const STYLE = `
:host { display: inline-block; position: relative; color-scheme: light dark; font: inherit; }
button, a { font: inherit; color: inherit; cursor: pointer; }
.button { display: inline-flex; align-items: center; gap: .5em; min-height: 2.75em; max-width: 16em; padding: .25em .9em;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 999px; background: Canvas; color: CanvasText; }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.picture { flex: none; width: 1.75em; height: 1.75em; border-radius: 50%; display: grid; place-items: center; overflow: hidden;
  background: color-mix(in srgb, CanvasText 12%, Canvas); font-weight: 600; }
.picture img { width: 100%; height: 100%; object-fit: cover; }
.menu { position: absolute; right: 0; top: calc(100% + .4em); z-index: 10; box-sizing: border-box; width: max-content; min-width: 100%;
  max-width: min(20em, 90vw); margin: 0; padding: .4em; border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  border-radius: .75em; background: Canvas; color: CanvasText; box-shadow: 0 8px 24px rgb(0 0 0 / .18); }
.menu[hidden] { display: none; }
.who { padding: .4em .6em; overflow-wrap: anywhere; opacity: .8; font-size: .9em; }
.item { display: block; box-sizing: border-box; width: 100%; padding: .6em; border: 0; border-radius: .5em; background: none;
  text-align: start; text-decoration: none; }
.item:hover, .item:focus-visible { background: color-mix(in srgb, CanvasText 10%, Canvas); }
:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }`;

const TEXTS = { signIn: "Sign in", account: "Account", signOut: "Sign out" };

/** Names and pictures are what users chose: they become text and the address of a picture, never markup. */
function mountButton(client, element, texts, issuer) {
  const root = (typeof element === "string" ? document.querySelector(element) : element).attachShadow({ mode: "open" });
  const words = { ...TEXTS, ...texts };
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const draw = (session) => root.replaceChildren(...(session ? signedIn(client, session.user, words, issuer) : [signInButton(client, words)]));
  const stop = client.onChange(draw);
  client.session().then(draw, () => draw(null));
  return () => {
    stop();
    root.replaceChildren();
  };
}

function signInButton(client, words) {
  const button = make("button", { type: "button", className: "button", textContent: words.signIn });
  button.addEventListener("click", () => client.signIn());
  return button;
}

function signedIn(client, user, words, issuer) {
  const name = user.name || user.preferred_username || user.email || words.account;
  const button = make("button", { type: "button", className: "button", ariaHasPopup: "menu", ariaExpanded: "false" });
  button.append(pictureOf(user, name), make("span", { className: "name", textContent: name }));
  const menu = make("div", { className: "menu", role: "menu", hidden: true, ariaLabel: name });
  const account = make("a", { className: "item", role: "menuitem", href: `${issuer}/account`, textContent: words.account });
  const leave = make("button", { type: "button", className: "item", role: "menuitem", textContent: words.signOut });
  leave.addEventListener("click", () => client.signOut());
  if (user.email) menu.append(make("div", { className: "who", textContent: user.email }));
  menu.append(account, leave);
  openBy(button, menu, [account, leave]);
  return [button, menu];
}

function openBy(button, menu, items) {
  const show = (open) => {
    menu.hidden = !open;
    button.ariaExpanded = String(open);
    if (open) items[0].focus();
  };
  button.addEventListener("click", () => show(menu.hidden));
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      show(false);
      button.focus();
    } else if (step) {
      event.preventDefault();
      const at = items.indexOf(menu.getRootNode().activeElement);
      items[(at + step + items.length) % items.length].focus();
    }
  });
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget) && event.relatedTarget !== button) show(false);
  });
}

function pictureOf(user, name) {
  const circle = make("span", { className: "picture", ariaHidden: "true", textContent: [...name][0]?.toUpperCase() ?? "" });
  if (typeof user.picture === "string" && user.picture.startsWith("https://")) {
    const image = make("img", { alt: "", referrerPolicy: "no-referrer" });
    image.addEventListener("load", () => circle.replaceChildren(image));
    image.src = user.picture;
  }
  return circle;
}

function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
