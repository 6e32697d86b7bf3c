"""The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2).

A request is looked at by these steps, top to bottom. Until the redirect URI is proven, an error is
shown to the person; afterwards it is told to the client. Every step runs again when a request is
taken up after an interaction, so nothing that changed meanwhile is overlooked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from common.context import Context
from common.contracts.authorization import (
    Authorization,
    AuthorizationState,
    Authorize,
    GetAuthorizationState,
    ResumeAuthorization,
)
from common.contracts.oauth_errors import ConsentRequired, LoginRequired, OAuthError, SignInOver
from common.events.tokens import CodeIssued
from common.ids import new_id
from oidc import prompts, repeated, responses
from oidc.checks.browser_is_seen import browser_is_seen
from oidc.checks.claims_are_well_formed import claims_are_well_formed
from oidc.checks.client_is_known import client_is_known
from oidc.checks.context_is_met import context_is_met
from oidc.checks.contexts_are_possible import contexts_are_possible
from oidc.checks.hint_is_ours import hint_is_ours
from oidc.checks.no_request_object import no_request_object
from oidc.checks.parameters_are_single import parameters_are_single
from oidc.checks.pkce_is_s256 import pkce_is_s256
from oidc.checks.prompts_are_consistent import prompts_are_consistent
from oidc.checks.redirect_uri_is_registered import redirect_uri_is_registered
from oidc.checks.resources_are_known import resources_are_known
from oidc.checks.response_mode_is_known import response_mode_is_known
from oidc.checks.response_type_is_code import response_type_is_code
from oidc.checks.scopes_are_allowed import scopes_are_allowed
from oidc.checks.session_is_chosen import session_is_chosen
from oidc.checks.user_has_consented import user_has_consented
from oidc.checks.user_is_fresh import user_is_fresh
from oidc.checks.user_is_signed_in import account_is_selected, user_is_signed_in
from oidc.checks.user_is_the_hinted_one import user_is_the_hinted_one
from oidc.deps import Deps
from oidc.queries import authorization_requests, codes
from oidc.queries.codes import NewCode
from oidc.request import AuthorizationRequest
from oidc.subjects import sid, subject

Step = Callable[[Deps, Context, AuthorizationRequest], Awaitable[Authorization | None]]

UNPROVEN: Final[tuple[Step, ...]] = (
    client_is_known,
    redirect_uri_is_registered,
)
"""Errors are shown: nothing is known yet that could safely be redirected to."""

PROTOCOL: Final[tuple[Step, ...]] = (
    response_mode_is_known,
    parameters_are_single,
    no_request_object,
    response_type_is_code,
    pkce_is_s256,
    scopes_are_allowed,
    resources_are_known,
    prompts_are_consistent,
    claims_are_well_formed,
    contexts_are_possible,
    hint_is_ours,
)
"""Errors go to the client."""

PERSON: Final[tuple[Step, ...]] = (
    browser_is_seen,
    session_is_chosen,
    user_is_signed_in,
    account_is_selected,
    user_is_fresh,
    user_is_the_hinted_one,
    context_is_met,
    user_has_consented,
)
"""May ask the person to do something first."""


async def start(deps: Deps, ctx: Context, new: Authorize) -> Authorization:
    request = AuthorizationRequest.of(new.params, new.session)
    request.unseen, request.others, request.choices = new.unseen, new.others, new.choices
    return await _walk(deps, ctx, request)


async def resume(deps: Deps, ctx: Context, back: ResumeAuthorization) -> Authorization:
    hashes = deps.keys.hashes("authorization-request", back.request)
    async with deps.db.reading(ctx) as db:
        pending = await authorization_requests.find(db, app_id=ctx.app_id, id_hashes=hashes)
    if pending is None:
        return await repeated.answer(deps, ctx, back)
    request = AuthorizationRequest.of(
        [(name, value) for name, value in pending.params], back.session
    )
    request.pending, request.name = pending, back.request
    request.consent, request.selected = back.consent, back.selected
    request.others, request.choices = back.others, back.choices
    return await _walk(deps, ctx, request)


async def state(deps: Deps, ctx: Context, request: GetAuthorizationState) -> AuthorizationState:
    """Looks at a request without taking it up. The link begins a new sign-in (OpenID Connect Core
    section 4), or leads to the client's home page: where it names none, to the origin that this
    request's user would have come back to."""
    hashes = deps.keys.hashes("authorization-request", request.request)
    async with deps.db.reading(ctx) as db:
        row = await authorization_requests.state(db, app_id=ctx.app_id, id_hashes=hashes)
    if row is None:
        return AuthorizationState(pending=False)
    link = row.client_uri or _origin_to_return_to(row)
    if row.initiate_login_uri:
        joint = "&" if "?" in row.initiate_login_uri else "?"
        link = f"{row.initiate_login_uri}{joint}{urlencode({'iss': ctx.origin})}"
    return AuthorizationState(pending=row.pending, client_name=row.client_name, client_link=link)


def _origin_to_return_to(row: authorization_requests.State) -> str | None:
    """None for clients that are no website, and for clients that are gone."""
    if row.client_type not in ("web", "spa"):
        return None
    parts = urlsplit(dict(row.params).get("redirect_uri", ""))
    return f"{parts.scheme}://{parts.netloc}/" if parts.scheme in ("http", "https") else None


async def _walk(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    try:
        for step in UNPROVEN:
            await step(deps, ctx, request)
    except OAuthError as problem:
        return responses.shown(problem)
    try:
        for step in PROTOCOL + PERSON:
            needed = await step(deps, ctx, request)
            if needed is not None:
                return _of_session(request, needed)
        return _of_session(request, await issue(deps, ctx, request))
    except OAuthError as problem:
        return responses.error(ctx, request, problem)


def _of_session(request: AuthorizationRequest, answer: Authorization) -> Authorization:
    """The gateway shows the page to this session, and remembers it for the client."""
    session_id = request.session.session_id if request.session else None
    return answer.model_copy(
        update={"session_id": session_id, "client_id": request.client.client_id}
    )


async def issue(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """A code, bound to client, redirect URI, challenge, user and session. The statement makes it
    only if user, session and consent hold at that moment."""
    session, client, given = request.session, request.client, request.given
    assert session is not None
    made = repeated.new_code(deps, request)
    new = NewCode(
        code_hash=deps.keys.hash("code", made),
        client_id=client.client_id,
        user_id=session.user_id,
        session_id=session.session_id,
        sid=sid(deps.keys, ctx.app_id, client.client_id, session.session_id),
        issuer=ctx.origin,
        subject=subject(deps.keys, client, session.user_id),
        redirect_uri=request.redirect_uri,
        redirect_uri_given=request.redirect_uri_given,
        scopes=request.scopes,
        consent_scopes=request.consent_scopes,
        resource=request.resource,
        claims=request.claims,
        nonce=given.get("nonce"),
        code_challenge=given.get("code_challenge"),
        auth_time=session.auth_time,
        acr=request.acr,
        amr=session.amr,
        org_id=session.org_id,
        family_id=new_id(),
        lifetime=deps.settings.code_lifetime,
        client_epoch=client.epoch,
        unmet=request.unmet,
        consent_needed=not client.first_party,
        request_hash=request.pending.id_hash if request.pending else None,
    )
    async with deps.db.single(ctx) as db:
        outcome = await codes.insert(db, app_id=ctx.app_id, code=new)
    if outcome.made:
        deps.activity.note(
            ctx,
            CodeIssued(client_id=client.client_id, scopes=request.scopes),
            user_id=session.user_id,
            session_id=session.session_id,
            org_id=session.org_id,
        )
        return responses.code(ctx, request, made)
    if not outcome.live:
        if request.silent:
            raise LoginRequired
        request.session = None
        return await prompts.sign_in(deps, ctx, request)
    if not outcome.consented:
        deps.known.consents.drop(ctx.app_id, "consent", session.user_id)
        if request.silent:
            raise ConsentRequired
        return await prompts.consent(deps, ctx, request)
    async with deps.db.reading(ctx) as db:
        if await codes.is_unredeemed(db, app_id=ctx.app_id, code_hash=new.code_hash):
            return responses.code(ctx, request, made)
    return responses.shown(SignInOver())
