"""Issues authorization codes (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization, SignedIn
from common.contracts.oauth_errors import ConsentRequired, LoginRequired, SignInOver
from common.events.tokens import CodeIssued
from common.ids import new_id
from oidc import authorization_response, prompts, repeated_submission
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_codes
from oidc.queries.authorization_codes import CodeOutcome, NewCode
from oidc.subjects import sid, subject


async def issue(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Stores a code and returns the response with it.

    The statement stores it only if user, session and consent are valid at that moment. If one of
    them is not, the user is sent to a page, or the client gets an error for `prompt=none`.
    """
    session = request.session
    assert session is not None
    code = repeated_submission.new_code(deps, request)
    new = _new_code(deps, ctx, request, session=session, code=code)
    async with deps.db.autocommit(ctx) as db:
        outcome = await authorization_codes.insert(db, new)
    if outcome.inserted:
        deps.activity.note(
            ctx,
            CodeIssued(client_id=request.client.client_id, scopes=request.scopes),
            user_id=session.user_id,
            session_id=session.session_id,
            org_id=session.org_id,
        )
        return authorization_response.code(ctx, request, code)
    page = await _missing_condition(deps, ctx, request, outcome)
    if page is not None:
        return page
    async with deps.db.reader(ctx) as db:
        if await authorization_codes.is_redeemable(
            db, app_id=ctx.app_id, code_hash=new.code_hash
        ):  # the same form was submitted twice at once
            return authorization_response.code(ctx, request, code)
    return authorization_response.error_page(SignInOver())


def _new_code(
    deps: Deps, ctx: Context, request: AuthorizationRequest, *, session: SignedIn, code: str
) -> NewCode:
    """Returns the code bound to its client, redirect URI, challenge, user and session."""
    client, parameters = request.client, request.parameters
    return NewCode(
        app_id=ctx.app_id,
        code_hash=deps.keys.hash("code", code),
        client_id=client.client_id,
        user_id=session.user_id,
        session_id=session.session_id,
        sid=sid(deps.keys, ctx.app_id, client.client_id, session.session_id),
        redirect_uri=request.redirect_uri,
        redirect_uri_given=request.redirect_uri_given,
        scopes=request.scopes,
        resource=request.resource,
        claims=request.claims,
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        auth_time=session.auth_time,
        acr=request.acr,
        amr=session.amr,
        org_id=session.org_id,
        family_id=new_id(),
        consent_needed=not client.first_party,
        request_hash=request.pending.id_hash if request.pending else None,
        lifetime=deps.settings.code_lifetime,
        issuer=ctx.origin,
        subject=subject(deps.keys, client, session.user_id),
        client_epoch=client.epoch,
        unmet=request.unmet_acr_values,
        consent_scopes=request.consent_scopes,
    )


async def _missing_condition(
    deps: Deps, ctx: Context, request: AuthorizationRequest, outcome: CodeOutcome
) -> Authorization | None:
    """Sends the user to the page for what is missing. Returns None if nothing is.

    Raises LoginRequired or ConsentRequired for `prompt=none`.
    """
    if not outcome.session_live:
        if request.silent:
            raise LoginRequired
        request.session = None
        return await prompts.sign_in(deps, ctx, request)
    if not outcome.consented:
        assert request.session is not None
        deps.caches.consents.drop(ctx.app_id, "consent", request.session.user_id)
        if request.silent:
            raise ConsentRequired
        return await prompts.consent(deps, ctx, request)
    return None
