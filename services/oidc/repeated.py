"""The same answer for a form that was sent twice.

The code of a pending request follows from the request's name and the session, so the second click
leads to the code of the first. A code that the client has redeemed is never answered again: a
client that presents it twice loses its tokens.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization, ResumeAuthorization
from common.contracts.oauth_errors import AccessDenied, OAuthError, SignInOver
from common.crypto import b64url, token
from oidc import responses
from oidc.checks.client_is_known import client_is_known
from oidc.checks.redirect_uri_is_registered import redirect_uri_is_registered
from oidc.checks.response_mode_is_known import response_mode_is_known
from oidc.deps import Deps
from oidc.queries import authorization_requests, codes
from oidc.request import AuthorizationRequest


def new_code(deps: Deps, request: AuthorizationRequest) -> str:
    """Random, or of a pending request and its session. The request was stored under one master
    key, and its code comes of the same while keys change."""
    if request.pending is None:
        return token("ac_")
    assert request.session is not None
    kid, _, _ = request.pending.id_hash.partition(".")
    name = f"{request.name} {request.session.session_id}".encode()
    return "ac_" + b64url(deps.keys.digest("code-of-request", name, kid))


async def answer(deps: Deps, ctx: Context, back: ResumeAuthorization) -> Authorization:
    """What the request was answered in one of the browser's sessions, while it holds."""
    hashes = deps.keys.hashes("authorization-request", back.request)
    async with deps.db.reading(ctx) as db:
        pending = await authorization_requests.find_answered(
            db, app_id=ctx.app_id, id_hashes=hashes
        )
    if pending is None:
        return responses.shown(SignInOver())
    sessions = [back.session, *back.others] if back.session else back.others
    for session in sessions:
        request = AuthorizationRequest.of(
            [(name, value) for name, value in pending.params], session
        )
        request.pending, request.name, request.consent = pending, back.request, back.consent
        known = await _of_session(deps, ctx, request)
        if known is not None:
            return known
    return responses.shown(SignInOver())


async def _of_session(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    assert request.pending is not None
    made = new_code(deps, request)
    async with deps.db.reading(ctx) as db:
        unredeemed = await codes.is_unredeemed(
            db, app_id=ctx.app_id, code_hash=deps.keys.hash("code", made)
        )
    denied = (
        unredeemed is None
        and request.consent == "deny"
        and request.prompted("consent")
        and request.pending.session_id == request.session.session_id
    )
    if not (unredeemed or denied):
        return None
    try:
        await client_is_known(deps, ctx, request)
        await redirect_uri_is_registered(deps, ctx, request)
        await response_mode_is_known(deps, ctx, request)
    except OAuthError:
        return None
    if denied:
        return responses.error(ctx, request, AccessDenied())
    return responses.code(ctx, request, made).model_copy(
        update={"session_id": request.session.session_id, "client_id": request.client.client_id}
    )
