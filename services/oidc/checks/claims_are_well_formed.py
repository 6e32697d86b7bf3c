"""The `claims` parameter (OpenID Connect Core section 5.5)."""

from __future__ import annotations

from typing import Any, Final

import orjson

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

MAX_LENGTH: Final = 8_000
NUL: Final = "\\u0000"
"""NUL as JSON writes it. Postgres cannot store it."""


async def claims_are_well_formed(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `claims`, and `hinted_sub` if the ID token must be about a certain user."""
    text = request.parameters.get("claims")
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
            member is None or isinstance(member, dict) for member in members.values()
        ):
            raise OAuthError(f"claims.{place} is malformed")
    request.claims = {place: parsed[place] for place in ("id_token", "userinfo") if place in parsed}
    _set_hinted_sub(request, parsed.get("id_token", {}).get("sub"))


def _set_hinted_sub(request: AuthorizationRequest, sub: dict[str, Any] | None) -> None:
    """Takes over a requested `sub`: only this user may sign in (section 5.5.1)."""
    value = (sub or {}).get("value")
    if isinstance(value, str):
        request.hinted_sub = value
