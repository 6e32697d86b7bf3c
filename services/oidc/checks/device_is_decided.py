"""The user decides whether a device is signed in (RFC 8628 sections 3.3 and 5.4).

They are always asked, also for first-party clients and if they consented before. Only the session that was
shown the page decides.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccessDenied
from oidc import device_decision, prompts, scope_catalogue
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def nobody_acts_as_the_user(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises AccessDenied if somebody acts as the user: a device would outlive that."""
    if request.session is not None and request.session.impersonated:
        raise AccessDenied("somebody acts as this user")


async def device_is_decided(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization:
    """Asks the user, or stores what they decided. Removes scopes from the request for whose permission
    they have no right."""
    session = request.session
    assert session is not None
    request.scopes = await scope_catalogue.select_permitted(
        deps, ctx, request.scopes, user_id=session.user_id, org_id=session.org_id
    )
    if request.consent is None or not _was_asked(request):
        return await prompts.device(deps, ctx, request)
    if request.consent == "deny":
        return await device_decision.deny(deps, ctx, request)
    return await device_decision.approve(deps, ctx, request)


def _was_asked(request: AuthorizationRequest) -> bool:
    """Returns whether the page was shown in this session."""
    return (
        request.pending is not None
        and request.session is not None
        and request.pending.session_id == request.session.session_id
        and request.was_prompted("consent")
    )
