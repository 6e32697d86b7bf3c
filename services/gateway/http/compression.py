"""Texts that are compressed once: stylesheets, scripts, public documents; and pages of the Dashboard.

A text with a secret is never compressed together with text of the request: the length would tell
something about the secret (BREACH). Pages with forms, JSON responses and tokens are therefore sent
uncompressed. The Dashboard's pages are long, so they are compressed if no other site can have caused the
request: then nobody else chose the text of the request.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway.http.request import GatewayRequest
from gateway.http.response import GatewayResponse, Headers

VARY: Final = (b"vary", b"Accept-Encoding")
GZIP: Final = (b"content-encoding", b"gzip")
NAMES: Final = ("gzip", "x-gzip")
"""RFC 9110 section 8.4.1.3: the two are equivalent."""
SAFE: Final = ("GET", "HEAD")
SITE: Final = b"sec-fetch-site"
OWN_SITES: Final = ("same-origin", "none")
LONG: Final = 1000
"""Bytes. Shorter pages fit into one packet as they are."""
PAGE_LEVEL: Final = 5
"""The level at which a page costs little and is little longer than at the highest."""


@dataclass(frozen=True, slots=True)
class PackedText:
    """A text, uncompressed and compressed, with the entity tag of each (RFC 9110 section 8.8.3.3)."""

    body: bytes
    packed: bytes
    etag: bytes
    packed_etag: bytes


def pack(body: bytes, level: int = 9) -> PackedText:
    """Compresses the body. `packed` is empty if that does not make it shorter."""
    name = hashlib.sha256(body).hexdigest()[:32].encode()
    packed = gzip.compress(body, level, mtime=0)
    if len(packed) >= len(body):
        packed = b""
    return PackedText(body, packed, b'"%s"' % name, b'"%s-gzip"' % name)


def packed_response(request: GatewayRequest, text: PackedText, headers: Headers) -> GatewayResponse:
    """Returns the text in an encoding that the client accepts, or 304 if the client has it.
    `headers` are for both."""
    as_gzip = bool(text.packed) and accepts_gzip(request)
    etag = text.packed_etag if as_gzip else text.etag
    headers = [*headers, VARY, (b"etag", etag)]
    if _has(request.headers.get(b"if-none-match", b""), etag):
        return GatewayResponse(304, b"", [each for each in headers if each[0] != b"content-type"])
    if as_gzip:
        return GatewayResponse(200, text.packed, [*headers, GZIP])
    return GatewayResponse(200, text.body, headers)


def packed_page(request: GatewayRequest, response: GatewayResponse) -> GatewayResponse:
    """Returns a page in gzip if it is long, the client accepts that, and the request comes from a page of
    the same origin or from the person (Fetch Metadata, `Sec-Fetch-Site`). The response to a form may have
    a secret that was created just now, so it is never compressed."""
    own = request.method in SAFE and request.header(SITE) in OWN_SITES
    if not own or len(response.body) < LONG or not accepts_gzip(request):
        return response
    body = gzip.compress(response.body, PAGE_LEVEL, mtime=0)
    return GatewayResponse(response.status, body, [*response.headers, VARY, GZIP])


def accepts_gzip(request: GatewayRequest) -> bool:
    """Returns whether the client accepts gzip: by name, else by `*`, unless the weight is 0 (RFC 9110
    section 12.5.3)."""
    header = request.header(b"accept-encoding")
    return header is not None and _names_gzip(header)


@lru_cache(maxsize=64)
def _names_gzip(header: str) -> bool:
    """Returns what `accepts_gzip` does. Browsers and clients send a handful of different headers."""
    accepted: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        accepted[name] = not any(_is_zero(parameter) for parameter in parameters)
    named = [accepted[name] for name in NAMES if name in accepted]
    return any(named) if named else accepted.get("*", False)


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and not weight.strip().strip("0.")


def _has(if_none_match: bytes, etag: bytes) -> bool:
    """Returns whether the header names the tag: a list, compared weakly, or `*` (RFC 9110 section
    13.1.2)."""
    if not if_none_match:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return etag in tags or tags == [b"*"]
