// Search: shows the operations and objects that have every word, and how many there are. A link to
// one of them opens it.
const box = document.querySelector(".search");
const input = box.querySelector("input");
const entries = [...document.querySelectorAll("section > details")].map((entry) => ({
  entry,
  text: `${entry.querySelector("summary").textContent} ${entry.querySelector("p")?.textContent ?? ""}`.toLowerCase(),
}));
box.hidden = false;
input.addEventListener("input", () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { entry, text } of entries) {
    entry.hidden = !words.every((word) => text.includes(word));
    if (!entry.hidden) shown += 1;
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = words.length > 0 && !section.querySelector("details:not([hidden])");
  }
  box.querySelector("output").textContent = words.length ? shown : "";
});
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.localName === "details") target.open = true;
}
window.addEventListener("hashchange", open);
open();
