"""What a browser sent, by name; and where it may be sent next."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from gateway.http import forms
from gateway.http.request import GatewayRequest

PATH: Final = re.compile(r"/(?![/\\]|%2[fF]|%5[cC])[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*")
"""A path on this very host (RFC 3986 section 3.3, with a query): no `//`, no backslash, neither
of them encoded, nothing that a browser would strip or fold before it looks (WHATWG URL section 4.4)."""


class Fields(dict[str, str]):
    """Names and values; of two alike the first counts."""

    def text(self, name: str) -> str:
        return self.get(name, "").strip()

    def given(self, name: str) -> str | None:
        """None where it is missing or blank."""
        return self.text(name) or None


def query(visit: GatewayRequest) -> Fields:
    return _named(forms.query(visit))


async def form(visit: GatewayRequest) -> Fields:
    """The posted form. Raises OAuthError for any other kind of body."""
    return _named(await forms.form(visit))


def _named(pairs: list[tuple[str, str]]) -> Fields:
    found = Fields()
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def local(path: str | None, otherwise: str) -> str:
    """`path` where it stays on this host, else `otherwise` (ASVS V3.7)."""
    if path and len(path) <= 2000 and PATH.fullmatch(path):
        return path
    return otherwise


def at(path: str, **parameters: str | None) -> str:
    """A local address with those parameters that are given."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def form_key(fields: Fields) -> str | None:
    """The same for two posts of one form: its pending request, or else its own token."""
    return (fields.given("request") or fields.given("csrf") or "")[:200] or None
