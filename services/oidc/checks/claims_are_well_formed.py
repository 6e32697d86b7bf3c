"""OpenID Connect Core section 5.5: the `claims` parameter."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.deps import Deps
from oidc.request import AuthorizationRequest

MAX_LENGTH: Final = 8_000
NUL: Final = "\\u0000"
"""A character that no text of ours holds, as JSON writes it."""


async def claims_are_well_formed(_: Deps, ctx: Context, asked: AuthorizationRequest) -> None:
    text = asked.given.get("claims")
    if text is None:
        return
    try:
        parsed = orjson.loads(text) if len(text) <= MAX_LENGTH and NUL not in text else None
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise OAuthError("claims is not a JSON object")
    for place in ("id_token", "userinfo"):
        members = parsed.get(place, {})
        if not isinstance(members, dict) or not all(
            request is None or isinstance(request, dict) for request in members.values()
        ):
            raise OAuthError(f"claims.{place} is malformed")
    asked.claims = {place: parsed[place] for place in ("id_token", "userinfo") if place in parsed}
    _take_sub(asked, parsed.get("id_token", {}).get("sub"))


def _take_sub(request: AuthorizationRequest, wanted: dict[str, Any] | None) -> None:
    """Section 5.5.1: a wanted `sub` must be the one that signs in."""
    value = (wanted or {}).get("value")
    if isinstance(value, str):
        request.hinted_sub = value
