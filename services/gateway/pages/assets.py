"""Stylesheets, scripts and icons: read once, named by their content, kept by browsers for a year."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from common import brand_colors
from common.problems import NotFound
from gateway.http import compression
from gateway.http.compression import PackedText
from gateway.http.request import GatewayRequest
from gateway.http.response import Answer

FOLDER: Final = Path(__file__).parent.parent / "static"
KINDS: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
FOR_EVER: Final = (b"cache-control", b"public, max-age=31536000, immutable")
FOR_NOW: Final = (b"cache-control", b"public, max-age=300")
COLOR_PATH: Final = re.compile(r"/brand/([0-9a-f]{6})\.css")
COLORS: Final = 512
"""Stylesheets of colours that are remembered."""


@dataclass(frozen=True)
class Asset:
    text: PackedText
    kind: bytes
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the folder by its name."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:
            body = path.read_bytes()
            version = hashlib.sha256(body).hexdigest()[:12]
            found[path.name] = Asset(compression.pack(body), KINDS[path.suffix], version)
    return found


@cache
def address(name: str) -> str:
    """Where a page finds the file `name`."""
    return f"/static/{name}?v={assets()[name].version}"


def brand_address(color: str | None) -> str:
    return f"/brand/{brand_colors.color_of(color)}.css"


async def serve(visit: GatewayRequest) -> Answer:
    """GET /static/<name>. Whoever asks for a version that is not ours may not keep the answer."""
    asset = assets().get(visit.path.removeprefix("/static/"))
    if asset is None:
        raise NotFound
    current = visit.scope["query_string"] == f"v={asset.version}".encode()
    headers = [(b"content-type", asset.kind), FOR_EVER if current else FOR_NOW]
    return compression.answer(visit, asset.text, headers)


async def serve_brand(visit: GatewayRequest) -> Answer:
    """GET /brand/<six hex digits>.css: the colours made from one, and nothing else."""
    asked = COLOR_PATH.fullmatch(visit.path)
    if asked is None:
        raise NotFound
    headers = [(b"content-type", KINDS[".css"]), FOR_EVER]
    return compression.answer(visit, _palette(asked[1]), headers)


@lru_cache(COLORS)
def _palette(color: str) -> PackedText:
    return compression.pack(brand_colors.palette(color).css().encode())
