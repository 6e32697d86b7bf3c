"""The parameters `prompt=login` and `max_age` (OpenID Connect Core section 3.1.2.1).

Once the user was sent to sign in again, only a factor that was shown after that moment counts. If the
client wants two factors, it is the second one that must be recent (RFC 9470 section 5). A provider counts
only if it said when it asked the user.
"""

from __future__ import annotations

from datetime import datetime

from common import acr, clock, freshness
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired
from oidc import acr_values, prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def user_is_fresh(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to show a factor again if the last one is too old."""
    assert request.session is not None
    if _was_fresh_at_consent(request):
        return None
    since = request.pending.authenticated_after if request.pending else None
    must_sign_in = since is None and "login" in request.prompts
    two_factors = not must_sign_in and await acr_values.wants_two_factors(deps, ctx, request)
    if two_factors and acr.TWO_FACTORS not in acr_values.reached(request.session):
        if request.acr_essential or not request.was_prompted("step_up"):
            return None  # `context_is_met` asks for the second factor, which is recent then
        two_factors = False
    if since is not None:
        fresh = _was_shown_since(request, since, two_factors=two_factors)
    else:
        fresh = not must_sign_in and not _too_old(request, two_factors=two_factors)
    if fresh:
        return None
    if request.silent:
        raise LoginRequired("the user has to sign in again")
    ask = prompts.step_up if two_factors else prompts.sign_in
    return await ask(deps, ctx, request, reauthenticate=since is None)


def _was_fresh_at_consent(request: AuthorizationRequest) -> bool:
    """Returns whether this session was shown the consent page, and so was new enough then.

    Reading the page takes time, which must not count against the user.
    """
    assert request.session is not None
    pending = request.pending
    same = pending is not None and pending.session_id == request.session.session_id
    return same and request.was_prompted("consent")


def _was_shown_since(request: AuthorizationRequest, since: datetime, *, two_factors: bool) -> bool:
    """Returns whether the user has shown the factor that counts after that moment. Showing one gives
    the session another id, so times in whole seconds are exact enough."""
    session, pending = request.session, request.pending
    assert session is not None
    must_be_recent = request.max_age is not None or "login" in request.prompts
    by_provider = "provider" in session.factor_times and must_be_recent
    if not two_factors and not by_provider:
        return session.auth_time >= since
    replaced = pending is None or pending.session_id != session.session_id
    return replaced and _proven_at(request, two_factors=two_factors) >= int(since.timestamp())


def _proven_at(request: AuthorizationRequest, *, two_factors: bool) -> float:
    """Returns when the user last showed a factor, or a second factor, in epoch seconds."""
    session = request.session
    assert session is not None
    if not two_factors and "provider" not in session.factor_times:
        return session.auth_time.timestamp()
    times = freshness.proven_at(session.factor_times, session.auth_time, two_factors=two_factors)
    return times or 0


def _too_old(request: AuthorizationRequest, *, two_factors: bool) -> bool:
    if request.max_age is None:
        return False
    proven = _proven_at(request, two_factors=two_factors)
    return request.max_age == 0 or proven + request.max_age < clock.now()
