"""Limits for guests, and for those who act as a user.

Both get no `offline_access`: their grants end with their session. Somebody who acts as a user gets
codes for first-party clients only, and decides nothing for the user.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccessDenied
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def account_is_whole(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Removes `offline_access` from the request of a guest or an impersonator. Raises AccessDenied
    if somebody acts as the user and the client may ask for consent."""
    session = request.session
    assert session is not None
    if session.impersonated and (not request.client.first_party or "consent" in request.prompts):
        raise AccessDenied("somebody acts as this user")
    if session.guest or session.impersonated:
        request.scopes = [name for name in request.scopes if name != "offline_access"]
    return None
