// A form is sent once: the second press of a button would use a link or a code up. Going Back shows
// the page as it was, so the forms are ready again then. A prefilled address is selected.
const busy = new Set();
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (busy.has(form)) return event.preventDefault();
    busy.add(form);
    const pressed = event.submitter ?? form.querySelector("button:not([type=button])");
    pressed?.setAttribute("aria-busy", "true");
    if (form.hasAttribute("data-download")) setTimeout(ready, 1000);
  });
}
function ready() {
  busy.clear();
  for (const button of document.querySelectorAll("[aria-busy=true]")) button.removeAttribute("aria-busy");
}
window.addEventListener("pageshow", (event) => { if (event.persisted) ready(); });
document.querySelector("input[data-select]:focus")?.select();
