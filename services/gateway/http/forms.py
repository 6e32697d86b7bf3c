"""Form bodies and queries as they came: in order, duplicates included."""

from __future__ import annotations

from urllib.parse import parse_qsl

from common.contracts.authorization import Params
from common.contracts.oauth_errors import OAuthError
from common.problems import Invalid, TooLarge
from gateway.http.request import GatewayRequest

MOST = 100
"""Fields; more is an attack or a mistake."""
LONGEST = 131_072
"""Bytes of a form; decoding a megabyte of percent signs takes more than half a second."""


def query(visit: GatewayRequest) -> Params:
    return _parsed(visit.scope["query_string"].decode("latin-1"))


async def form(visit: GatewayRequest) -> Params:
    """Raises OAuthError where the body is not application/x-www-form-urlencoded, TooLarge where it
    is longer than a form may be."""
    kind = (visit.header(b"content-type") or "").partition(";")[0].strip().lower()
    body = await visit.body()
    if not body:
        return []
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("send the parameters as application/x-www-form-urlencoded")
    if len(body) > LONGEST:
        raise TooLarge(f"a form can have at most {LONGEST} bytes")
    try:
        return _parsed(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise OAuthError("the body is not UTF-8") from None


def basic(visit: GatewayRequest) -> str | None:
    """The value of a Basic Authorization header (RFC 7617), still encoded."""
    header = visit.header(b"authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "basic" else None


def _parsed(text: str) -> Params:
    try:
        found = parse_qsl(
            text, keep_blank_values=True, max_num_fields=MOST, errors="strict", encoding="utf-8"
        )
    except (ValueError, UnicodeDecodeError):
        raise OAuthError("the parameters are not valid: check their encoding and number") from None
    if any("\0" in name or "\0" in value for name, value in found):
        raise OAuthError("a parameter contains a NUL character")
    return found


def once(params: Params) -> dict[str, str]:
    """Each parameter by name. Raises Invalid where one comes twice."""
    found: dict[str, str] = {}
    for name, value in params:
        if name in found:
            raise Invalid(f"send {name} only once")
        found[name] = value
    return found
