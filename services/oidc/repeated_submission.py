"""Answers a form of the authorization endpoint that was submitted twice, like the first time.

The id of a pending request's code is derived from the request's identifier and the session, so a
second submission leads to the same code. A code that the client has redeemed is never returned again: a
client that presents a code twice loses its tokens (RFC 6749 section 4.1.2).
"""

from __future__ import annotations

from uuid import UUID

from common.context import Context
from common.contracts.authorization import Authorization, ResumeAuthorization
from common.contracts.oauth_errors import AccessDenied, OAuthError, SignInOver
from common.crypto import key_id
from common.earlier_commits import wait_for_earlier_commits
from oidc import authorization_response, code_content, device_verification
from oidc.authorization_request import AuthorizationRequest
from oidc.checks.client_is_known import client_is_known
from oidc.checks.redirect_uri_is_registered import redirect_uri_is_registered
from oidc.checks.response_mode_is_known import response_mode_is_known
from oidc.deps import Deps
from oidc.queries import authorization_codes, authorization_requests


def code_id(deps: Deps, request: AuthorizationRequest) -> str:
    """Returns the id of a pending request's code.

    It is derived with the master key under which the request was stored, so it stays the same while
    master keys are replaced. A request that came from another deployment with its application has a key
    that makes nothing here: the deployment's first key takes its place.
    """
    assert request.pending is not None
    assert request.session is not None
    message = f"{request.request_id} {request.session.session_id}".encode()
    try:
        digest = deps.keys.digest("code-of-request", message, key_id(request.pending.id_hash))
    except KeyError:
        digest = deps.keys.digest("code-of-request", message, deps.keys.first)
    return str(UUID(bytes=digest[:16]))


async def answer(deps: Deps, ctx: Context, request: ResumeAuthorization) -> Authorization:
    """Returns the response that one of the browser's sessions got, while it is valid.

    Otherwise returns an error page that says that the sign-in is over.
    """
    hashes = deps.keys.hashes("authorization-request", request.request)
    async with deps.db.reader(ctx) as db:
        answered = await authorization_requests.find_answered(
            db, app_id=ctx.app_id, id_hashes=hashes
        )
    if answered is None:
        return authorization_response.error_page(SignInOver())
    if answered.device_code_hash is not None:
        return await device_verification.answer_again(deps, ctx, request, answered)
    sessions = [request.session, *request.others] if request.session else request.others
    for session in sessions:
        authorization = AuthorizationRequest.resumed(answered, request.request, session)
        authorization.consent = request.consent
        response = await _response_of_session(deps, ctx, authorization)
        if response is not None:
            return response
    return authorization_response.error_page(SignInOver())


async def _response_of_session(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    assert request.pending is not None
    id = code_id(deps, request)
    async with deps.db.autocommit(ctx) as db:
        redeemable = await authorization_codes.is_redeemable(db, app_id=ctx.app_id, id=id)
        code = await code_content.seal_stored(deps.sealer, db, ctx.app_id, id)
        denied = redeemable is None and _was_denied(request)
        if redeemable or denied:
            await wait_for_earlier_commits(db)
    if not (redeemable or denied):
        return None
    try:
        await client_is_known(deps, ctx, request)
        await redirect_uri_is_registered(deps, ctx, request)
        await response_mode_is_known(deps, ctx, request)
    except OAuthError:
        return None
    if denied:
        return await authorization_response.error(deps, ctx, request, AccessDenied())
    response = await authorization_response.code(deps, ctx, request, code)
    return response.model_copy(
        update={"session_id": request.session.session_id, "client_id": request.client.client_id}
    )


def _was_denied(request: AuthorizationRequest) -> bool:
    assert request.session is not None
    assert request.pending is not None
    return (
        request.consent == "deny"
        and request.was_prompted("consent")
        and request.pending.session_id == request.session.session_id
    )
