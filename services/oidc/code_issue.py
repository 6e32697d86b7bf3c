"""Issues authorization codes (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from dataclasses import replace

from common.context import Context
from common.contracts.authorization import Authorization, SignedIn
from common.contracts.oauth_errors import ConsentRequired, LoginRequired, SignInOver
from common.crypto import sha256_b64url
from common.db import Db
from common.earlier_commits import wait_for_earlier_commits
from common.events.tokens import CodeIssued
from common.ids import new_id
from oidc import (
    authorization_response,
    code_content,
    prompts,
    repeated_submission,
    request_objects,
    security_profile,
)
from oidc.authorization_request import AuthorizationRequest
from oidc.code_content import CodeContent
from oidc.deps import Deps
from oidc.queries import authorization_codes, session_clients
from oidc.queries.authorization_codes import CodeConditions, CodeWish, OneCode, StoredCode
from oidc.queries.session_clients import NewSessionClient
from oidc.subjects import sid, subject


async def issue(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Returns the response with a code.

    A code is issued only if user, session and consent are valid at that moment. If one of them is
    not, the user is sent to a page, or the client gets an error for `prompt=none`. Redemption checks
    the same again. A code that carries its content is issued without any write.
    """
    session = request.session
    assert session is not None
    wish = _wish(deps, ctx, request, session)
    code = None
    async with deps.db.reader(ctx) as db:
        conditions = await authorization_codes.find_conditions(db, wish)
        content = _content(deps, request, session, conditions)
        if content is not None and request.pending is None and not request.makes_one_code:
            code = await code_content.seal(deps.sealer, db, ctx.app_id, content)
    if content is None:
        return await _missing_condition(deps, ctx, request, conditions)
    if code is None:
        code, is_first = await _stored_code(
            deps, ctx, request, content=content, conditions=conditions
        )
        if code is None:
            return authorization_response.error_page(SignInOver())
        if not is_first:
            return await authorization_response.code(deps, ctx, request, code)
    event = CodeIssued(client_id=request.client.client_id, scopes=request.scopes)
    about = {"user_id": session.user_id, "session_id": session.session_id}
    deps.activity.note(ctx, event, **about, org_id=session.org_id)
    return await authorization_response.code(deps, ctx, request, code)


async def _stored_code(
    deps: Deps,
    ctx: Context,
    request: AuthorizationRequest,
    *,
    content: CodeContent,
    conditions: CodeConditions,
) -> tuple[str | None, bool]:
    """Stores the content of a code. Returns the code, and whether it is the first for its request.

    If the same form was submitted twice at once, both get the same code. The code is None if it was
    redeemed meanwhile.
    """
    if request.pending is None:  # was sealed, and was too long: an id seals one text only
        content = replace(content, id=new_id())
    async with deps.db.autocommit(ctx) as db:
        is_first = await _store(deps, db, ctx, request, content=content, conditions=conditions)
        if not is_first:
            if not await authorization_codes.is_redeemable(db, app_id=ctx.app_id, id=content.id):
                return None, False
            await wait_for_earlier_commits(db)
        return await code_content.seal_stored(deps.sealer, db, ctx.app_id, content.id), is_first


def _wish(deps: Deps, ctx: Context, request: AuthorizationRequest, session: SignedIn) -> CodeWish:
    return CodeWish(
        app_id=ctx.app_id,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=request.client.client_id,
        consent_needed=not request.client.first_party,
        consent_scopes=request.consent_scopes,
        resource=request.resource,
        lifetime=security_profile.code_lifetime(request.client, deps.settings.code_lifetime),
    )


def _content(
    deps: Deps, request: AuthorizationRequest, session: SignedIn, conditions: CodeConditions
) -> CodeContent | None:
    """Returns what the code is bound to: its client, redirect URI, challenge, user and session.

    A guest, and somebody who acts as a user, get no `offline_access`. Returns None if there is no
    live session or no consent.
    """
    if conditions.user_epoch is None or not conditions.consented:
        return None
    client, parameters = request.client, request.parameters
    left_out = {"offline_access"} if conditions.online_only else set()
    return CodeContent(
        id=repeated_submission.code_id(deps, request) if request.pending else new_id(),
        client_id=client.client_id,
        client_epoch=client.epoch,
        user_id=session.user_id,
        user_epoch=conditions.user_epoch,
        session_id=session.session_id,
        redirect_uri_hash=sha256_b64url(request.redirect_uri),
        redirect_uri_given=request.redirect_uri_given,
        code_challenge=parameters.get("code_challenge"),
        nonce=parameters.get("nonce"),
        scopes=[name for name in request.scopes if name not in left_out],
        resource=request.resource,
        claims=request.claims,
        auth_time=session.auth_time,
        acr=request.acr,
        amr=session.amr,
        org_id=session.org_id,
        revocations=conditions.revocations,
        cnf=request.cnf,
        expires_at=conditions.expires_at,
    )


async def _store(
    deps: Deps,
    db: Db,
    ctx: Context,
    request: AuthorizationRequest,
    *,
    content: CodeContent,
    conditions: CodeConditions,
) -> bool:
    """Stores what a code does not carry. Returns False if the pending request was answered before.

    Classes of sign-in that the user did not reach are noted for the session at once, even if the
    client never redeems the code.
    """
    if request.unmet_acr_values:
        assert conditions.session_expires_at is not None
        client, session_id = request.client, content.session_id
        new = NewSessionClient(
            app_id=ctx.app_id,
            session_id=session_id,
            client_id=client.client_id,
            issuer=ctx.origin,
            sid=sid(deps.keys, ctx.app_id, client.client_id, session_id),
            subject=subject(deps.keys, client, content.user_id),
            user_id=content.user_id,
            expires_at=conditions.session_expires_at,
            unmet=request.unmet_acr_values,
        )
        await session_clients.add_unmet(db, new)
    code = StoredCode(
        app_id=ctx.app_id,
        id=content.id,
        client_id=content.client_id,
        user_id=content.user_id,
        content=content.encoded(),
        expires_at=content.expires_at,
        request_hash=request.pending.id_hash if request.pending else None,
    )
    if not request.makes_one_code:
        return await authorization_codes.insert(db, code)
    once = OneCode(request.pushed_hash, request.jti_hash, request_objects.NOTED_FOR)
    return await authorization_codes.insert_once(db, code, once)


async def _missing_condition(
    deps: Deps, ctx: Context, request: AuthorizationRequest, conditions: CodeConditions
) -> Authorization:
    """Sends the user to the page for what is missing.

    Raises LoginRequired or ConsentRequired for `prompt=none`.
    """
    assert request.session is not None
    if conditions.user_epoch is None:
        if request.silent:
            raise LoginRequired
        request.session = None
        return await prompts.sign_in(deps, ctx, request)
    deps.caches.consents.drop(ctx.app_id, "consent", request.session.user_id)
    if request.silent:
        raise ConsentRequired
    return await prompts.consent(deps, ctx, request)
