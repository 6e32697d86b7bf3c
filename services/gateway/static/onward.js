// Goes on once the relying parties' pages have been loaded, or after three seconds. A script and not
// a module, in old words, so that browsers that know no better run it as well.
var next = document.querySelector("a[data-onward]");
function go() {
  location.replace(next.href);
}
if (document.readyState === "complete") go();
else window.addEventListener("load", go);
setTimeout(go, 3000);
