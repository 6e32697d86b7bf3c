"""The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2).

The steps below check a request from top to bottom. Before the redirect URI is checked, the user
sees an error. After it, the client gets the error. A resumed request runs through all steps again,
because anything may have changed while it waited.
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
from common.contracts.oauth_errors import LoginRequired, OAuthError
from oidc import (
    authorization_response,
    client_display,
    code_issue,
    device_verification,
    prompts,
    repeated_submission,
)
from oidc.authorization_request import AuthorizationRequest
from oidc.checks.account_is_whole import account_is_whole
from oidc.checks.browser_is_seen import browser_is_seen
from oidc.checks.claims_are_well_formed import claims_are_well_formed
from oidc.checks.client_is_known import client_is_known
from oidc.checks.context_is_met import context_is_met
from oidc.checks.contexts_are_possible import contexts_are_possible
from oidc.checks.form_is_as_required import form_is_as_required
from oidc.checks.hint_is_ours import hint_is_ours
from oidc.checks.no_request_object import no_request_object
from oidc.checks.parameters_are_single import parameters_are_single
from oidc.checks.pkce_is_s256 import pkce_is_s256
from oidc.checks.prompts_are_consistent import prompts_are_consistent
from oidc.checks.pushed_request_is_waiting import pushed_request_is_waiting
from oidc.checks.redirect_uri_is_registered import redirect_uri_is_registered
from oidc.checks.resources_are_known import resources_are_known
from oidc.checks.response_mode_is_known import response_mode_is_known
from oidc.checks.response_type_is_code import response_type_is_code
from oidc.checks.scopes_are_allowed import scopes_are_allowed
from oidc.checks.session_is_chosen import session_is_chosen
from oidc.checks.signed_request_is_proven import signed_request_is_proven
from oidc.checks.user_has_consented import user_has_consented
from oidc.checks.user_is_fresh import user_is_fresh
from oidc.checks.user_is_signed_in import account_is_selected, user_is_signed_in
from oidc.checks.user_is_the_hinted_one import user_is_the_hinted_one
from oidc.deps import Deps
from oidc.queries import authorization_requests
from oidc.queries.authorization_requests import AuthorizationRequestState

Step = Callable[[Deps, Context, AuthorizationRequest], Awaitable[Authorization | None]]

CLIENT_STEPS: Final[tuple[Step, ...]] = (
    client_is_known,
    pushed_request_is_waiting,
    signed_request_is_proven,
    redirect_uri_is_registered,
)
"""Errors are shown to the user: there is no address yet that is safe to redirect to."""

PROTOCOL_STEPS: Final[tuple[Step, ...]] = (
    response_mode_is_known,
    parameters_are_single,
    no_request_object,
    form_is_as_required,
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

USER_STEPS: Final[tuple[Step, ...]] = (
    browser_is_seen,
    session_is_chosen,
    user_is_signed_in,
    account_is_selected,
    user_is_fresh,
    user_is_the_hinted_one,
    context_is_met,
    account_is_whole,
    user_has_consented,
)
"""A step may send the user to a page first. Errors go to the client."""


async def start(deps: Deps, ctx: Context, request: Authorize) -> Authorization:
    """Checks a new request, and answers it or sends the user to a page first."""
    authorization = AuthorizationRequest.from_parameters(request.params, request.session)
    authorization.unseen = request.unseen
    authorization.others, authorization.choices = request.others, request.choices
    return await _run_steps(deps, ctx, authorization)


async def resume(deps: Deps, ctx: Context, request: ResumeAuthorization) -> Authorization:
    """Checks a stored request again after the user has signed in, chosen or consented."""
    hashes = deps.keys.hashes("authorization-request", request.request)
    async with deps.db.reader(ctx) as db:
        pending = await authorization_requests.find_pending(db, app_id=ctx.app_id, id_hashes=hashes)
    if pending is None:
        return await repeated_submission.answer(deps, ctx, request)
    if pending.device_code_hash is not None:
        return await device_verification.resume(deps, ctx, request, pending)
    authorization = AuthorizationRequest.resumed(pending, request.request, request.session)
    authorization.consent, authorization.selected = request.consent, request.selected
    authorization.others, authorization.choices = request.others, request.choices
    return await _run_steps(deps, ctx, authorization)


async def get_state(deps: Deps, ctx: Context, request: GetAuthorizationState) -> AuthorizationState:
    """Returns whether a request still waits, and returns a link back to its client.

    The link starts a new sign-in (OpenID Connect Core section 4) if the client has registered an
    address for that. Otherwise it leads to the client's home page, or to the origin of the
    request's redirect URI. It leads nowhere else for a client that nobody of the application registered.
    """
    hashes = deps.keys.hashes("authorization-request", request.request)
    async with deps.db.reader(ctx) as db:
        row = await authorization_requests.find_state(db, app_id=ctx.app_id, id_hashes=hashes)
    if row is None:
        return AuthorizationState(pending=False)
    uri = dict(row.params).get("redirect_uri")
    host = client_display.unverified_host(
        row.source or client_display.DEVELOPER, row.client_id, row.redirect_uris or [], uri
    )
    if host is not None:
        link = _redirect_origin(row)
        return AuthorizationState(pending=row.pending, client_name=host, client_link=link)
    link = row.client_uri or _redirect_origin(row)
    if row.initiate_login_uri:
        joint = "&" if "?" in row.initiate_login_uri else "?"
        link = f"{row.initiate_login_uri}{joint}{urlencode({'iss': ctx.origin})}"
    return AuthorizationState(pending=row.pending, client_name=row.client_name, client_link=link)


def _redirect_origin(row: AuthorizationRequestState) -> str | None:
    """Returns the origin of the redirect URI, or None if the client is no website or is deleted."""
    if row.client_type not in ("web", "spa"):
        return None
    parts = urlsplit(dict(row.params).get("redirect_uri", ""))
    return f"{parts.scheme}://{parts.netloc}/" if parts.scheme in ("http", "https") else None


async def _run_steps(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    try:
        for step in CLIENT_STEPS:
            await step(deps, ctx, request)
            if request.document_pending:
                return authorization_response.with_session(
                    request, await _signed_in_first(deps, ctx, request)
                )
    except OAuthError as problem:
        return authorization_response.error_page(problem)
    try:
        for step in PROTOCOL_STEPS + USER_STEPS:
            page = await step(deps, ctx, request)
            if page is not None:
                return authorization_response.with_session(request, page)
        response = await code_issue.issue(deps, ctx, request)
        return authorization_response.with_session(request, response)
    except OAuthError as problem:
        return await authorization_response.error(deps, ctx, request, problem)


async def _signed_in_first(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization:
    """Sends the user to sign in before the client's metadata document is fetched.

    Nothing is known of the client yet, so for `prompt=none` there is no address that is safe to
    redirect to.
    """
    if request.unseen:
        return await prompts.come_back(deps, ctx, request)
    if "none" in request.parameters.get("prompt", "").split(" "):
        raise LoginRequired
    return await prompts.sign_in(deps, ctx, request, reauthenticate=True)
