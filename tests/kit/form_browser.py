"""A browser without scripts: follows redirects, keeps cookies and submits forms."""

from __future__ import annotations

import ssl
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx


class Loopback(httpx.HTTPTransport):
    """Connects every name to this machine, as a browser does with `*.localhost`. The Host header
    stays."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url
        request.url = asked.copy_with(host="127.0.0.1")
        request.extensions = {**request.extensions, "sni_hostname": asked.host}
        try:
            return super().handle_request(request)
        finally:
            request.url = asked


def browser(*, ca: Path | None = None, **more: Any) -> httpx.Client:
    """Returns a client. `ca` is the authority that it trusts."""
    trusting = ssl.create_default_context(cafile=str(ca)) if ca else True
    return httpx.Client(transport=Loopback(verify=trusting), timeout=15, **more)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({"action": given.get("action") or "", "fields": {}, "names": set()})
        elif tag == "button" and self.forms and given.get("name"):
            self.forms[-1]["names"].add(given["name"])
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1]["names"].add(given["name"])
            self.forms[-1]["fields"][given["name"]] = given.get("value") or ""


def submit(client: httpx.Client, page: httpx.Response, **filled: str) -> httpx.Response:
    """Sends the page's form that has these fields, together with its hidden ones."""
    parser = _Forms()
    parser.feed(page.text)
    fitting = [form for form in parser.forms if filled.keys() <= form["names"]]
    assert fitting, f"{page.url} has no form with {sorted(filled)}: {page.text[:2000]}"
    target = page.url.join(fitting[0]["action"])
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    return client.post(target, data=fitting[0]["fields"] | filled, headers={"Origin": origin})


def sign_in(client: httpx.Client, url: str, email: str, password: str) -> httpx.Response:
    """Signs in through the hosted pages: address, then password. Returns the next page."""
    client.follow_redirects = True
    page = client.get(f"{url}/login")
    page = submit(client, page, email=email)
    return submit(client, page, password=password)
