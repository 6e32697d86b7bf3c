"""Impersonation of a user, for administrators and developers."""

from __future__ import annotations

from common.contracts.base import Id
from common.contracts.impersonation import Impersonation, ImpersonationTerms, StartImpersonation
from gateway.api.deps import Acting, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.routing import RouteSet

router = NounRouter(prefix="/users", tags=["users"])


@router.post(
    "/{id}/impersonate",
    response_model_exclude={"session": {"token"}},
    summary="Act as a user",
)
async def start(
    id: Id, terms: ImpersonationTerms, *, gateway: TheGateway, request: TheRequest, ctx: Acting
) -> Impersonation:
    """Starts a session in which you act as the user, for at most 60 minutes. The user can read who
    acted and why. On the application's host, the session begins in this browser. For a developer, the
    answer has a `url` instead: open it within a minute. Needs `users:impersonate`, a session with a
    fresh sign-in, and the setting `impersonation`. Answers 403 `impersonation_refused` for a user with
    more rights than you, and for one who can act as others."""
    call = StartImpersonation(user_id=id, reason=terms.reason, minutes=terms.minutes)
    impersonation = await gateway.bus.call(ctx, call)
    if impersonation.session is not None:
        await browser_sessions.start(gateway, request, impersonation.session)
    return impersonation


routes = RouteSet(router=router, in_applications=True)
