"""Stylesheets, scripts, icons and colours. Files are read once and named by their content, so browsers
keep them for a year."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from common import brand_colors
from common.problems import NotFound
from gateway.http.compression import PackedText, pack, packed_response
from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse
from gateway.pages import app_icon
from gateway.pages.app_icon import FOR_EVER
from gateway.routing import ErrorStyle, Handler, HostKind, Route, RouteSet
from gateway.state import Gateway

FOLDER: Final = Path(__file__).parent.parent / "static"
KINDS: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
FOR_NOW: Final = (b"cache-control", b"public, max-age=300")
COLOR_PATH: Final = re.compile(r"/brand/([0-9a-f]{6})\.css")
COLORS: Final = 512
"""Stylesheets of colours that are kept in memory."""


@dataclass(frozen=True)
class Asset:
    text: PackedText
    kind: bytes
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Returns every file of the folder by its name."""
    files = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:
            body = path.read_bytes()
            version = hashlib.sha256(body).hexdigest()[:12]
            files[path.name] = Asset(pack(body), KINDS[path.suffix], version)
    return files


@cache
def address(name: str) -> str:
    """Returns the address of the file `name` for pages."""
    return f"/static/{name}?v={assets()[name].version}"


def brand_address(color: str | None) -> str:
    return f"/brand/{brand_colors.color_of(color)}.css"


async def serve_file(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /static/{name}. Only a response to the current version may be kept."""
    asset = assets().get(request.path.removeprefix("/static/"))
    if asset is None:
        raise NotFound
    current = request.query == f"v={asset.version}".encode()
    headers = [(b"content-type", asset.kind), FOR_EVER if current else FOR_NOW]
    return packed_response(request, asset.text, headers)


async def serve_brand(gateway: Gateway, request: GatewayRequest) -> GatewayResponse:
    """GET /brand/{name}: the stylesheet <six hex digits>.css with the colours made from one, or an icon."""
    if request.path.endswith(".svg"):
        return app_icon.serve(request)
    match = COLOR_PATH.fullmatch(request.path)
    if match is None:
        raise NotFound
    headers = [(b"content-type", KINDS[".css"]), FOR_EVER]
    return packed_response(request, _palette(match[1]), headers)


@lru_cache(COLORS)
def _palette(color: str) -> PackedText:
    return pack(brand_colors.palette(color).css().encode())


def _get(path: str, handler: Handler) -> Route:
    return Route(HostKind.APPLICATION, "GET", path, handler, ErrorStyle.PAGE)


routes = RouteSet((_get("/static/{name}", serve_file), _get("/brand/{name}", serve_brand)))
