"""The elements of a page as a browser reads them."""

from __future__ import annotations

from html.parser import HTMLParser


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Returns the name and the attributes of each element."""
    parser = _Elements()
    parser.feed(page)
    return parser.elements


def is_inert(page: str) -> bool:
    """Returns whether no text of a tenant became markup: a bold text, a call of htmx to `/x`, a script in
    the page, a link that runs one."""
    for tag, attributes in elements_of(page):
        link = attributes.get("href") or attributes.get("src") or ""
        if tag == "b" or (tag == "script" and "src" not in attributes):
            return False
        if attributes.get("hx-get") == "/x" or link.lower().startswith("javascript:"):
            return False
    return True


def hidden(page: str, name: str) -> str:
    """Returns the value of the first hidden field with this name."""
    for tag, attributes in elements_of(page):
        if (tag, attributes.get("type"), attributes.get("name")) == ("input", "hidden", name):
            return attributes.get("value") or ""
    raise AssertionError(f"no hidden field {name}")
