"""The fields of a query or form by name, and local addresses."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from gateway.http import forms, multipart
from gateway.http.request import GatewayRequest

PATH: Final = re.compile(r"/(?![/\\]|%2[fF]|%5[cC])[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*")
"""A path on this host (RFC 3986 section 3.3), with a query. It has no `//`, no backslash, neither of
them encoded, and nothing that a browser removes or changes before it reads it (WHATWG URL section 4.4).
"""


class Fields(dict[str, str]):
    """Values by name. The first of two with the same name counts."""

    def text(self, name: str) -> str:
        """Returns the value without surrounding spaces; empty if it is missing."""
        return self.get(name, "").strip()

    def text_or_none(self, name: str) -> str | None:
        """Returns the value without surrounding spaces, or None if it is missing or blank."""
        return self.text(name) or None


FormReader = Callable[[GatewayRequest], Awaitable[Fields]]
"""Reads the fields of a posted form."""


def read_query(request: GatewayRequest) -> Fields:
    return _by_name(forms.query(request))


async def read_file_form(request: GatewayRequest) -> Fields:
    """Returns the fields of a posted form that may have a file. Raises OAuthError for a body of another
    type."""
    if request.media_type != multipart.FORM_DATA:
        return await read_form(request)
    return _by_name(await multipart.form_data(request))


async def read_form(request: GatewayRequest) -> Fields:
    """Returns the fields of a posted form. Raises OAuthError for a body of another type."""
    return _by_name(await forms.form(request))


def _by_name(pairs: list[tuple[str, str]]) -> Fields:
    fields = Fields()
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def local(path: str | None, otherwise: str) -> str:
    """Returns `path` if it stays on this host, else `otherwise` (ASVS V3.7)."""
    if path and len(path) <= 2000 and PATH.fullmatch(path):
        return path
    return otherwise


def at(path: str, /, **parameters: str | None) -> str:
    """Returns a local address with the parameters that have a value."""
    values = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(values)}" if values else path


def form_key(fields: Fields) -> str | None:
    """Returns the same key for two posts of one form: its pending request, or else its own token."""
    key = fields.text_or_none("request") or fields.text_or_none("csrf") or ""
    return key[:200] or None
