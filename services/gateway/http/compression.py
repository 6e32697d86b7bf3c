"""Texts that are packed once, where they are made: stylesheets, scripts, public documents.

Nothing is packed that holds a secret beside what the request brought: its length would tell of the
secret (BREACH). Pages with forms, JSON answers and tokens therefore go out as they are.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.http.response import Answer, Headers

if TYPE_CHECKING:
    from gateway.http.request import GatewayRequest

VARY: Final = (b"vary", b"Accept-Encoding")
GZIP: Final = (b"content-encoding", b"gzip")
NAMES: Final = ("gzip", "x-gzip")
"""RFC 9110 section 8.4.1.3: the two are equivalent."""


@dataclass(frozen=True, slots=True)
class PackedText:
    """A text as it is and packed, with the entity tag of each (RFC 9110 section 8.8.3.3)."""

    body: bytes
    packed: bytes
    etag: bytes
    packed_etag: bytes


def pack(body: bytes, level: int = 9) -> PackedText:
    """Packs the body. It is left as it is where packing makes it no shorter."""
    name = hashlib.sha256(body).hexdigest()[:32].encode()
    packed = gzip.compress(body, level, mtime=0)
    if len(packed) >= len(body):
        packed = b""
    return PackedText(body, packed, b'"%s"' % name, b'"%s-gzip"' % name)


def answer(visit: GatewayRequest, text: PackedText, headers: Headers) -> Answer:
    """Returns the text in an encoding that the client accepts, or 304 if the client has it.
    `headers` are for both."""
    as_gzip = bool(text.packed) and accepts_gzip(visit)
    etag = text.packed_etag if as_gzip else text.etag
    headers = [*headers, VARY, (b"etag", etag)]
    if _has(visit.headers.get(b"if-none-match", b""), etag):
        return Answer(304, b"", [each for each in headers if each[0] != b"content-type"])
    if as_gzip:
        return Answer(200, text.packed, [*headers, GZIP])
    return Answer(200, text.body, headers)


def accepts_gzip(visit: GatewayRequest) -> bool:
    """RFC 9110 section 12.5.3: by name, else by `*`, unless its weight is 0."""
    accepted: dict[str, bool] = {}
    for part in (visit.header(b"accept-encoding") or "").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        accepted[name] = not any(_is_zero(parameter) for parameter in parameters)
    named = [accepted[name] for name in NAMES if name in accepted]
    return any(named) if named else accepted.get("*", False)


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and not weight.strip().strip("0.")


def _has(wanted: bytes, etag: bytes) -> bool:
    """RFC 9110 section 13.1.2: a list, compared weakly, or any."""
    tags = [tag.strip().removeprefix(b"W/") for tag in wanted.split(b",")]
    return etag in tags or tags == [b"*"]
