"""Sending the person somewhere first: the request waits under an unguessable name."""

from __future__ import annotations

from typing import Final, Literal

from common.context import Context
from common.contracts.authorization import Authorization
from common.crypto import token
from oidc import acr_values, scopes
from oidc.acr_values import Way
from oidc.deps import Deps
from oidc.queries import authorization_requests
from oidc.request import AuthorizationRequest

LIFETIME: Final = 1800
"""Seconds: time to read mail for a code, and to set up a second factor."""


async def sign_in(
    deps: Deps, ctx: Context, request: AuthorizationRequest, *, afresh: bool = False
) -> Authorization:
    """`afresh`: from now on only a new sign-in counts."""
    afresh = afresh or ("login" in request.prompts and not request.prompted("signed_in"))
    name = await _wait(deps, ctx, request, "signed_in", afresh=afresh)
    way = await acr_values.way(deps, ctx, request)
    return _shown(request, "sign_in", name, reauthenticate=request.session is not None, way=way)


async def select_account(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    return _shown(request, "select_account", await _wait(deps, ctx, request, "select_account"))


async def consent(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    shown = _shown(request, "consent", await _wait(deps, ctx, request, "consent"))
    if not request.resource:
        return shown
    known = (await scopes.catalogue(deps, ctx)).resources
    names = [known[uri].name if uri in known else uri for uri in request.resource]
    return shown.model_copy(update={"resources": names})


async def come_back(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Nobody is shown anything: the browser is sent round once."""
    return Authorization(kind="resume", request=await _wait(deps, ctx, request))


async def _wait(
    deps: Deps,
    ctx: Context,
    request: AuthorizationRequest,
    doing: str | None = None,
    *,
    afresh: bool = False,
) -> str:
    """The name under which it waits: a new one, or the one under which it waited before."""
    session = request.session
    before = request.pending.prompted if request.pending else []
    prompted = sorted({*before, doing} if doing else before)
    user_id, session_id = (session.user_id, session.session_id) if session else (None, None)
    async with deps.db.transaction(ctx) as tx:
        if request.pending is not None:
            await authorization_requests.update(
                tx,
                app_id=ctx.app_id,
                id_hash=request.pending.id_hash,
                user_id=user_id,
                session_id=session_id,
                prompted=prompted,
                afresh=afresh,
            )
            return request.name
        name = token("ar_", 24)
        await authorization_requests.insert(
            tx,
            app_id=ctx.app_id,
            id_hash=deps.keys.hash("authorization-request", name),
            client_id=request.client.client_id,
            params=request.params,
            user_id=user_id,
            session_id=session_id,
            prompted=prompted,
            afresh=afresh,
            lifetime=LIFETIME,
        )
    return name


def _shown(
    request: AuthorizationRequest,
    kind: Literal["sign_in", "select_account", "consent"],
    name: str,
    *,
    reauthenticate: bool = False,
    way: Way | None = None,
) -> Authorization:
    client = request.client
    return Authorization(
        kind=kind,
        request=name,
        client_name=client.name,
        client_id=client.client_id,
        client_uri=client.client_uri,
        logo_uri=client.logo_uri,
        policy_uri=client.policy_uri,
        tos_uri=client.tos_uri,
        scopes=request.consent_scopes,
        login_hint=request.given.get("login_hint"),
        ui_locales=request.given.get("ui_locales"),
        reauthenticate=reauthenticate,
        way=way,
    )
