// The sixth digit sends the form, once, if nothing else is to be filled in. After an error people
// correct the code and press the button.
const input = document.querySelector("#code");
const alone = input?.form.querySelectorAll("input:not([type=hidden])").length === 1;
if (alone && !input.hasAttribute("aria-invalid")) {
  let sent = false;
  input.addEventListener("input", () => {
    const digits = input.value.replace(/[\s\-\u2010-\u2015]/g, "");
    if (sent || !/^\d{6}$/.test(digits)) return;
    sent = true;
    input.form.requestSubmit();
  });
}

// How long a code holds, and when another may be sent. The server decides both anyway.
const box = document.querySelector("[data-code]");
if (box) {
  const began = performance.now();
  const timer = box.querySelector("[data-timer]");
  const said = box.querySelector("[data-said]");
  const again = box.querySelector("[data-again]");
  const words = again?.textContent;
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const minutes = new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: "minute", unitDisplay: "long",
  });
  const within = (time) => box.dataset.left.replace("{time}", time);
  let spoken = Math.ceil(Number(box.dataset.ends) / 60);

  const tick = () => {
    const passed = Math.floor((performance.now() - began) / 1000);
    const left = Math.max(0, Number(box.dataset.ends) - passed);
    const wait = Math.max(0, Number(box.dataset.resend) - passed);
    timer.textContent = left ? within(clock(left)) : box.dataset.over;
    if (Math.ceil(left / 60) < spoken) {
      spoken = Math.ceil(left / 60);
      said.textContent = left ? within(minutes.format(spoken)) : box.dataset.over;
    }
    if (again) {
      again.disabled = wait > 0;
      again.textContent = wait ? box.dataset.wait.replace("{time}", clock(wait)) : words;
    }
    if (left || wait) setTimeout(tick, 1000 - ((performance.now() - began) % 1000));
  };
  tick();
}
