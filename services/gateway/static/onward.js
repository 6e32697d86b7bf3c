// Goes on once the relying parties' pages have been loaded, or after three seconds.
const next = document.querySelector("a[data-onward]");
const go = () => location.replace(next.href);
if (document.readyState === "complete") go();
else window.addEventListener("load", go);
setTimeout(go, 3000);
