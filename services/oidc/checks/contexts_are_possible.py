"""The parameter `acr_values`, and `acr` in `claims` (OpenID Connect Core 3.1.2.1 and 5.5.1.1)."""

from __future__ import annotations

from typing import Any

from common import acr
from common.context import Context
from common.contracts.oauth_errors import OAuthError, UnmetAuthenticationRequirements
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def contexts_are_possible(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `acr_values` and `acr_essential`.

    Raises UnmetAuthenticationRequirements if none of the essential values is one of ours.
    """
    values, request.acr_essential = _acr_claim(request)
    request.acr_values = (
        values
        or request.parameters.get("acr_values", "").split()
        or request.client.default_acr_values
    )
    if request.acr_essential and not set(acr.CLASSES) & set(request.acr_values):
        raise UnmetAuthenticationRequirements


def _acr_claim(request: AuthorizationRequest) -> tuple[list[str], bool]:
    """Returns the values of the requested `acr` claim, and whether it is essential.

    Every sign-in satisfies an essential claim without values.
    """
    acr_claim: dict[str, Any] = (request.claims or {}).get("id_token", {}).get("acr") or {}
    values = acr_claim.get("values", [])
    if "value" in acr_claim:
        values = [acr_claim["value"]]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise OAuthError("claims.id_token.acr is malformed")
    return values, bool(values) and acr_claim.get("essential") is True
