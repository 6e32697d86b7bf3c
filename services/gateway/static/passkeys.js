// Passkeys (Web Authentication Level 3). Each box of the page is one ceremony: [data-passkey=get|create].
// The options are fetched before the press, because Safari asks for a passkey only at once.
const FRESH = 240_000; // milliseconds; the server accepts a challenge for five minutes
const kit = window.PublicKeyCredential;
const supported = Boolean(kit && navigator.credentials?.create);

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const withBytes = (listed) => listed?.map((one) => ({ ...one, id: bytes(one.id) }));

export function decoded(options) {
  const plain = { ...options, challenge: bytes(options.challenge) };
  if (options.user) plain.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) plain.excludeCredentials = withBytes(options.excludeCredentials);
  return plain;
}

export function encoded(credential) {
  const { response } = credential;
  const parts = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) parts[name] = text(response[name]);
  }
  if (response.getTransports) parts.transports = response.getTransports();
  return {
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: {},
  };
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", credentials: "same-origin", headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(value.code ?? "failed"), { code: value.code });
  return value;
}

// The browser shows one request at a time, so a new one stops the one that waits in the address field.
let waiting = null;
function stop() {
  waiting?.abort();
  waiting = null;
}

// A page sends one answer at a time. A second one would replace the session that the first one starts.
let sending = false;

// How many passkeys the page has asked for by a button.
let asked = 0;

class Box {
  constructor(element) {
    this.element = element;
    this.words = element.dataset;
    this.buttons = [...element.querySelectorAll("[data-ask]")];
    this.said = element.querySelector("[data-said]");
    this.options = new Map();
    for (const button of this.buttons) button.addEventListener("click", () => this.press(button));
  }

  async arm() {
    clearTimeout(this.timer);
    this.problem = null;
    this.fetching = this.fetchOptions().catch((error) => { this.problem = error.code ?? "failed"; });
    await this.fetching;
    if (this.problem) return;
    this.timer = setTimeout(() => this.arm(), FRESH);
    if ("autofill" in this.words) await this.offer();
  }

  async fetchOptions() {
    if (this.words.ready) {
      this.options.set("", JSON.parse(this.words.ready));
      delete this.words.ready;
      return;
    }
    const { options, other_rp_ids: others } = await post(this.words.options, {});
    this.options.set("", options);
    const other = this.element.querySelector("[data-other]");
    if (!other || !others.length || !(await reachesOthers())) return;
    this.options.set(others[0], (await post(this.words.options, { rp_id: others[0] })).options);
    other.dataset.ask = others[0];
    other.querySelector("span").textContent = other.dataset.label.replace("{host}", others[0]);
    other.hidden = false;
  }

  async offer() {
    const field = document.querySelector("[autocomplete~=webauthn]");
    if (!field || !(await kit.isConditionalMediationAvailable?.()) || this.asks()) return;
    stop();
    const own = (waiting = new AbortController());
    const options = decoded(this.options.get(""));
    try {
      const credential = await navigator.credentials.get({ publicKey: options, mediation: "conditional", signal: own.signal });
      if (credential && !own.signal.aborted) await this.finish(credential);
    } catch {
      // Stopped by the button, or dismissed.
    }
  }

  async press(button) {
    if (!this.options.size) await this.fetching; // pressed at once
    if (sending || this.asks()) return;
    if (this.problem === "fresh_sign_in_needed") return void location.assign(this.words.confirm);
    const options = this.options.get(button.dataset.ask ?? "");
    if (!options) return void this.fail(this.problem ?? "failed");
    stop();
    asked += 1;
    this.busy(true);
    this.say("");
    try {
      const publicKey = decoded(options);
      const credential = this.words.passkey === "create"
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      await this.finish(credential);
    } catch (error) {
      await this.fail(error.name === "InvalidStateError" ? "exists" : "cancelled");
    }
  }

  async finish(credential) {
    if (sending) return;
    sending = true;
    this.busy(true);
    const remember = {};
    for (const box of document.querySelectorAll("[name=remember], [name=remember_device]")) {
      if (box.checked) remember[box.name] = true;
    }
    let answer;
    try {
      answer = await post(this.words.verify, { credential: encoded(credential), ...remember });
    } catch (error) {
      sending = false;
      if (error.code === "passkey_unknown") await forget(credential, this.options.get("")?.rpId);
      if (error.code === "no_session") return void location.reload();
      return void (await this.fail(error.code));
    }
    clearTimeout(this.timer);
    await Promise.race([tellBrowser(), new Promise((done) => setTimeout(done, 1000))]);
    const codes = this.element.querySelector("[data-codes]");
    if (codes && answer.recovery_codes?.length) return void this.show(codes, answer.recovery_codes);
    location.assign(this.words.onward);
  }

  show(section, codes) {
    const list = section.querySelector("ul");
    for (const code of codes) list.append(Object.assign(document.createElement("li"), { textContent: code }));
    section.querySelector("[download]").href = `data:text/plain;charset=utf-8,${encodeURIComponent(codes.join("\r\n") + "\r\n")}`;
    for (const other of this.element.children) other.hidden = other !== section;
    section.hidden = false;
    section.querySelector("h2").focus();
  }

  async fail(code) {
    this.busy(false);
    const name = code?.replace("passkey_", "");
    this.say(this.words[name] ?? this.words.failed);
    await this.arm();
  }

  say(sentence) {
    this.said.hidden = !sentence;
    this.said.querySelector("span").textContent = sentence;
  }

  asks() {
    return this.buttons.some((button) => button.getAttribute("aria-busy") === "true");
  }

  busy(is) {
    for (const button of this.buttons) button.setAttribute("aria-busy", String(is));
  }
}

async function reachesOthers() {
  const can = await kit.getClientCapabilities?.();
  return !can || can.relatedOrigins !== false;
}

// The browser deletes a passkey for good, so it hears of one only if nobody in the application has it.
async function forget(credential, rpId) {
  await kit.signalUnknownCredential?.({ rpId: rpId ?? location.hostname, credentialId: credential.id }).catch(() => {});
}

// Tells the browser which passkeys are left, and how their user is called now. The browser deletes the
// others. So a list from before a press is not used: it may lack the passkey that is being created.
async function tellBrowser() {
  if (!kit.signalAllAcceptedCredentials) return;
  const before = asked;
  const answer = await fetch("/api/users/me/passkeys", { credentials: "same-origin" });
  if (!answer.ok) return;
  const { passkeys, user_handle: userId, user_name: name, display_name: displayName, rp_id: own } = await answer.json();
  if (!userId) return;
  const hosts = new Set([own, ...passkeys.map((one) => one.rp_id)]);
  for (const rpId of hosts) {
    if (asked !== before) return;
    const ids = passkeys.filter((one) => one.rp_id === rpId).map((one) => one.credential_id);
    await kit.signalAllAcceptedCredentials({ rpId, userId, allAcceptedCredentialIds: ids }).catch(() => {});
    await kit.signalCurrentUserDetails?.({ rpId, userId, name, displayName }).catch(() => {});
  }
}

// Back may show the page as it was left, while its answer was sent.
addEventListener("pageshow", (event) => { if (event.persisted && sending) location.reload(); });
for (const element of document.querySelectorAll("[data-passkey]")) {
  if (supported) new Box(element).arm();
  else element.hidden = true;
}
if (supported && document.querySelector("[data-signals]")) tellBrowser();
const can = document.querySelector("[name=has_authenticator]");
if (supported && can) {
  kit.isUserVerifyingPlatformAuthenticatorAvailable?.().then((is) => { can.value = is ? "1" : ""; });
}
