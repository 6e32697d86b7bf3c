"""Guest accounts, for pages and apps that let people start without signing up."""

from __future__ import annotations

from common.contracts.guests import CreateGuest
from common.contracts.sessions import SignedInSession
from gateway.api.deps import TheGateway, TheRequest, WithPublishableKey
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.auth.caller import signed_in_user
from gateway.http import csrf
from gateway.routing import RouteSet

router = NounRouter(prefix="/auth", tags=["auth"])


@router.post("/guest", response_model_exclude={"token"}, summary="Create a guest account")
async def create(
    body: CreateGuest, gateway: TheGateway, request: TheRequest, ctx: WithPublishableKey
) -> SignedInSession:
    """Creates an account without credentials, and sets the cookie of its session. Send the
    publishable key as the bearer token. If somebody is signed in in this browser already, the call
    returns their session and creates nobody. The account is deleted after 30 days without activity.
    Answers 403 `guests_off` if the application does not offer guest accounts."""
    user = await signed_in_user(gateway, request)
    if user is not None:
        return SignedInSession(token="", session=user.session)
    browser = body.browser or csrf.browser_id(gateway.settings, request)
    call = body.model_copy(update={"browser": browser})
    new_session = await gateway.bus.call(ctx, call)
    await browser_sessions.start(gateway, request, new_session)
    return new_session


routes = RouteSet(router=router)
