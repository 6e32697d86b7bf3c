// Finds the number that a form's proof of work asks for, away from the page's own thread.
const field = document.querySelector("[data-proof]");
if (field) {
  const all = [...document.querySelectorAll("[data-proof]")];
  const buttons = all.map((one) => one.form.querySelector("button:not([type=button])"));
  const say = (busy) => buttons.forEach((button) => button.setAttribute("aria-busy", String(busy)));
  const worker = new Worker(field.dataset.worker);
  let wanted = null;
  worker.onmessage = ({ data }) => {
    for (const one of all) one.value = data;
    say(false);
    wanted?.requestSubmit();
  };
  for (const { form } of all) {
    form.addEventListener("submit", (event) => {
      if (field.value) return;
      event.preventDefault(); // it goes on by itself once the number is found
      wanted = form;
      say(true);
    });
  }
  worker.postMessage({ challenge: field.dataset.proof, bits: Number(field.dataset.bits) });
}
