"""The icon of an application without one of its own: its first letter in its colour."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from common import brand_colors
from common.problems import NotFound
from gateway.http import forms
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse

SVG: Final = (b"content-type", b"image/svg+xml")
FOR_EVER: Final = (b"cache-control", b"public, max-age=31536000, immutable")
PATH: Final = re.compile(r"/brand/([0-9a-f]{6})\.svg")
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="8" fill="{fill}"/>'
    '<text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-size="20"'
    ' font-weight="600" fill="{on_fill}">{letter}</text></svg>'
)


def address(color: str | None, name: str) -> str:
    """Returns the path of the icon on the application's host."""
    query = urlencode({"letter": name[:1].upper()})
    return f"/brand/{brand_colors.color_of(color)}.svg?{query}"


def serve(request: GatewayRequest) -> GatewayResponse:
    """GET /brand/<six hex digits>.svg?letter=: it shows one letter or digit and nothing else, so that
    no text of an address becomes markup."""
    match = PATH.fullmatch(request.path)
    if match is None:
        raise NotFound
    letter = dict(forms.query(request)).get("letter", "")
    shades = brand_colors.palette(match[1]).light
    body = ICON.format(
        fill=shades.fill,
        on_fill=shades.on_fill,
        letter=letter if len(letter) == 1 and letter.isalnum() else "",
    )
    headers = [SVG, FOR_EVER]
    return GatewayResponse(200, body.encode(), headers)
