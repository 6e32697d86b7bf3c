"""OpenID Connect Core sections 3.1.2.1 and 5.5.1.1: `acr_values`, and `acr` in `claims`."""

from __future__ import annotations

from typing import Any

from common import acr
from common.context import Context
from common.contracts.oauth_errors import OAuthError, UnmetAuthenticationRequirements
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def contexts_are_possible(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """What is essential and no class of ours is refused before anybody signs in for nothing."""
    values, request.context_essential = _claimed(request)
    request.contexts = (
        values or request.given.get("acr_values", "").split() or request.client.default_acr_values
    )
    if request.context_essential and not acr.SATISFIES.keys() & set(request.contexts):
        raise UnmetAuthenticationRequirements


def _claimed(asked: AuthorizationRequest) -> tuple[list[str], bool]:
    """The values of the `acr` claim, and whether one of them must be met. Essential without any
    value is met by every sign-in."""
    request: dict[str, Any] = (asked.claims or {}).get("id_token", {}).get("acr") or {}
    values = request.get("values", [])
    if "value" in request:
        values = [request["value"]]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise OAuthError("claims.id_token.acr is malformed")
    return values, bool(values) and request.get("essential") is True
