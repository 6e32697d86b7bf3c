"""The icon of an application that has none of its own: its first letter in its colour."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from common import brand_colors
from common.problems import NotFound
from gateway.http import forms
from gateway.http.request import GatewayRequest
from gateway.http.response import Answer
from gateway.pages import assets

PATH: Final = re.compile(r"/brand/([0-9a-f]{6})\.svg")
ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="8" fill="{fill}"/>'
    '<text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-size="20"'
    ' font-weight="600" fill="{on_fill}">{letter}</text></svg>'
)


def address(color: str | None, name: str) -> str:
    """The path of the icon, relative to the application's host."""
    query = urlencode({"letter": name[:1].upper()})
    return f"/brand/{brand_colors.color_of(color)}.svg?{query}"


async def serve(visit: GatewayRequest) -> Answer:
    """GET /brand/<six hex digits>.svg?letter=: anything but one letter or digit is left out, so
    that nothing that somebody typed becomes markup."""
    match = PATH.fullmatch(visit.path)
    if match is None:
        raise NotFound
    letter = dict(forms.query(visit)).get("letter", "")
    shades = brand_colors.palette(match[1]).light
    body = ICON.format(
        fill=shades.fill,
        on_fill=shades.on_fill,
        letter=letter if len(letter) == 1 and letter.isalnum() else "",
    )
    headers = [(b"content-type", assets.KINDS[".svg"]), assets.FOR_EVER]
    return Answer(200, body.encode(), headers)
