// Sends the form that carries the answer to the client (OAuth 2.0 Form Post Response Mode).
document.querySelector("form[data-post]")?.submit();
