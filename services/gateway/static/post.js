// Sends the form that carries the answer to the client (OAuth 2.0 Form Post Response Mode). A script
// and not a module, in old words, so that browsers that know no better run it as well.
var form = document.querySelector("form[data-post]");
if (form) form.submit();
