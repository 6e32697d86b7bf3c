// A button in every password field that shows what was typed.
for (const field of document.querySelectorAll("[data-reveal]")) {
  const input = field.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", field.dataset.show);
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-controls", input.id);
  for (const [name, kind] of [["eye", "covered"], ["eye-off", "shown"]]) {
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${field.dataset.icons}#${name}`);
    icon.setAttribute("class", `icon ${kind}`);
    icon.setAttribute("aria-hidden", "true");
    icon.append(use);
    button.append(icon);
  }
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.setAttribute("aria-pressed", String(visible));
  };
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false)); // so that managers see a password
  field.append(button);
}
