// The small part of the Dashboard that needs a script. Pages and forms work without it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`aero2_zone=${encodeURIComponent(zone)}`)) {
  document.cookie = `aero2_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}

// The exact time behind "3 hours ago", in the zone of the person's profile or browser; copy buttons where copying works.
const exact = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium", timeStyle: "long", timeZone: document.documentElement.dataset.zone || zone,
});
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

// The tab of the page that is shown may stand outside of the row on a phone.
const tab = document.querySelector(".tabs > [aria-current]");
if (tab) {
  const [row, own] = [tab.parentElement.getBoundingClientRect(), tab.getBoundingClientRect()];
  tab.parentElement.scrollLeft += own.left + own.width / 2 - row.left - row.width / 2;
}

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

// A page in the background asks for nothing.
document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.target.closest?.("[data-poll]")) event.preventDefault();
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

// A field with results below, in a box that a link opens: arrows choose, Enter opens. The focus stays in
// the field. Without a script the link leads to a page.
const openBox = (box, opener, event) => {
  event.preventDefault();
  box.showPopover({ source: opener });
  box.querySelector("[role=combobox]").focus();
};
for (const opener of document.querySelectorAll("[data-opens]")) {
  const box = document.getElementById(opener.dataset.opens);
  const query = box.querySelector("[role=combobox]");
  const options = () => [...box.querySelectorAll("[role=option]")];
  const choose = (option) => {
    for (const other of options()) other.removeAttribute("aria-current");
    option?.setAttribute("aria-current", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) query.setAttribute("aria-activedescendant", option.id);
    else query.removeAttribute("aria-activedescendant");
  };
  for (const [name, value] of [["role", "button"], ["aria-haspopup", "dialog"], ["aria-expanded", "false"]]) {
    opener.setAttribute(name, value);
  }
  // Browsers return the focus from a popover, but not from one that is within another, as on a phone.
  let focused = false;
  box.addEventListener("beforetoggle", () => { focused = box.contains(document.activeElement); });
  box.addEventListener("toggle", (event) => {
    opener.setAttribute("aria-expanded", event.newState === "open");
    const lost = document.activeElement === document.body || box.contains(document.activeElement);
    if (event.newState === "closed" && focused && lost) opener.focus();
  });
  opener.addEventListener("click", (event) => openBox(box, opener, event));
  opener.addEventListener("keydown", (event) => { if (event.key === " ") openBox(box, opener, event); });
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
  document.addEventListener("htmx:after:swap", () => { if (box.matches(":popover-open")) choose(options()[0]); });
}
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
  openBox(document.querySelector("#palette"), document.querySelector("[data-opens=palette]"), event);
});

// A page that the browser kept may show what has changed since, or a secret.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// A stream that cannot connect says so. The server says the rest.
document.addEventListener("htmx:sse:error", () => {
  const state = document.querySelector("#live-state");
  if (state) Object.assign(state, { className: "state", textContent: state.dataset.waiting });
});
