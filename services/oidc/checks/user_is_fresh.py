"""OpenID Connect Core section 3.1.2.1: `prompt=login` and `max_age`. Once the person was sent to
sign in again, only a sign-in after that moment counts."""

from __future__ import annotations

import time

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def user_is_fresh(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    if _judged_before(request):
        return None
    since = request.pending.authenticated_after if request.pending else None
    if since is not None:
        fresh = request.session.auth_time >= since
    else:
        fresh = "login" not in request.prompts and not _too_old(request)
    if fresh:
        return None
    if request.silent:
        raise LoginRequired("the person has to sign in again")
    return await prompts.sign_in(deps, ctx, request, afresh=since is None)


def _judged_before(request: AuthorizationRequest) -> bool:
    """This session was new enough when its consent page was shown: reading it takes time."""
    assert request.session is not None
    pending = request.pending
    same = pending is not None and pending.session_id == request.session.session_id
    return same and request.prompted("consent")


def _too_old(request: AuthorizationRequest) -> bool:
    assert request.session is not None
    if request.max_age is None:
        return False
    return (
        request.max_age == 0
        or request.session.auth_time.timestamp() + request.max_age < time.time()
    )
