// The small part of the Dashboard that needs a script. Pages and forms work without it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`aero2_zone=${encodeURIComponent(zone)}`)) {
  document.cookie = `aero2_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}

// The exact time behind "3 hours ago", in the zone of the person who looks; copy buttons where copying works.
const exact = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
const prepare = (part) => {
  for (const time of part.querySelectorAll("time[datetime]")) time.title = exact.format(new Date(time.dateTime));
  if (navigator.clipboard) for (const button of part.querySelectorAll("[data-copy]")) button.hidden = false;
};
prepare(document);
document.addEventListener("htmx:after:swap", () => prepare(document));

// After the last page of a list its link is gone, and the focus with it. It goes on from the list.
let list;
addEventListener("click", (event) => {
  list = event.target.closest(".pager [hx-target]")?.getAttribute("hx-target");
});
document.addEventListener("htmx:after:swap", () => {
  const part = list && document.activeElement === document.body && document.querySelector(list);
  if (!part) return;
  part.tabIndex = -1;
  part.focus();
});

const toasts = document.querySelector("#toasts");
const say = (text) => {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.append(Object.assign(document.createElement("div"), { textContent: text }));
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), 6000);
};
document.addEventListener("htmx:error", () => say(toasts.dataset.failed));
document.addEventListener("htmx:response:error", () => say(toasts.dataset.failed));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.closest(".copy, figure").querySelector("code, pre").textContent;
  await navigator.clipboard.writeText(text);
  say(button.dataset.copy);
});

// A form is sent once: a second press while the answer is on its way would do the same thing twice. A form
// whose answer goes into a frame can be sent again at once, and htmx guards its own forms.
const sent = new WeakSet();
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || event.submitter?.formTarget) return;
  if (sent.has(form)) return event.preventDefault();
  sent.add(form);
  event.submitter?.setAttribute("aria-busy", "true");
  setTimeout(() => {
    sent.delete(form);
    event.submitter?.removeAttribute("aria-busy");
  }, 10000);
});

// The palette: Ctrl-K opens it, arrows choose, Enter opens. The focus stays in the field.
const palette = document.querySelector("#palette");
const query = palette.querySelector("[role=combobox]");
const options = () => [...palette.querySelectorAll("[role=option]")];
const choose = (option) => {
  for (const other of options()) other.removeAttribute("aria-current");
  option?.setAttribute("aria-current", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) query.setAttribute("aria-activedescendant", option.id);
  else query.removeAttribute("aria-activedescendant");
};
const openPalette = (event) => {
  event.preventDefault();
  palette.showPopover();
  query.focus();
};
document.querySelector("[data-palette]").addEventListener("click", openPalette);
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") openPalette(event);
});
query.addEventListener("input", () => choose(null)); // these results are not for this text
query.addEventListener("keydown", (event) => {
  const all = options();
  const now = all.findIndex((option) => option.hasAttribute("aria-current"));
  if (event.key === "Enter" && now >= 0) {
    event.preventDefault();
    all[now].click();
  } else if (all.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    choose(all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  }
});
document.addEventListener("htmx:after:swap", () => choose(options()[0]));

// A page that the browser kept may show what has changed since, or a secret.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// A stream that cannot connect says so. The server says the rest.
document.addEventListener("htmx:sse:error", () => {
  const state = document.querySelector("#live-state");
  if (state) Object.assign(state, { className: "state", textContent: state.dataset.waiting });
});
