"""Sends the user to a page first. The request is stored meanwhile under a random identifier."""

from __future__ import annotations

from typing import Final, Literal

from common.context import Context
from common.contracts.authorization import Authorization, RequestingDevice
from common.crypto import token
from oidc import acr_values, client_display, scope_catalogue
from oidc.acr_values import Way
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_requests
from oidc.queries.authorization_requests import NewPendingAuthorization

LIFETIME: Final = 1800
"""Seconds: enough to wait for a code by mail and to set up a second factor."""


async def sign_in(
    deps: Deps, ctx: Context, request: AuthorizationRequest, *, reauthenticate: bool = False
) -> Authorization:
    """Sends the user to the sign-in page.

    With `reauthenticate`, or `prompt=login` for the first time, only a sign-in from now on counts.
    """
    reauthenticate = reauthenticate or (
        "login" in request.prompts and not request.was_prompted("signed_in")
    )
    request_id = await _store(deps, ctx, request, "signed_in", reauthenticate=reauthenticate)
    way = await acr_values.sign_in_way(deps, ctx, request)
    if way is None and acr_values.is_unproven(request):
        way = "mail"
    has_session = request.session is not None
    return _page(request, "sign_in", request_id, reauthenticate=has_session, way=way)


async def step_up(
    deps: Deps, ctx: Context, request: AuthorizationRequest, *, reauthenticate: bool = False
) -> Authorization:
    """Sends a signed-in user to the page that asks for the second factor alone.

    With `reauthenticate` only a factor from now on counts.
    """
    request_id = await _store(deps, ctx, request, "step_up", reauthenticate=reauthenticate)
    return _page(request, "step_up", request_id)


async def select_account(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Sends the user to the page that lists the browser's accounts."""
    request_id = await _store(deps, ctx, request, "select_account")
    return _page(request, "select_account", request_id)


async def consent(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Sends the user to the consent page, with the application's texts for its scopes, and with the names
    of the requested resources."""
    page = _page(request, "consent", await _store(deps, ctx, request, "consent"))
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    own = [catalogue.scopes[name] for name in page.scopes if name in catalogue.scopes]
    apis = catalogue.resources
    return page.model_copy(
        update={
            "resources": [apis[uri].name if uri in apis else uri for uri in request.resource],
            "scope_texts": {scope.name: scope.description for scope in own if scope.description},
        }
    )


async def device(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Sends the user to the page that asks about a device: a consent page that says where the device is
    and which code it shows (RFC 8628 section 3.3)."""
    page, waiting = await consent(deps, ctx, request), request.device
    assert waiting is not None
    description = RequestingDevice(
        user_code=request.parameters.required("user_code"),
        ip_address=waiting.ip_address,
        created_at=waiting.created_at,
    )
    return page.model_copy(update={"kind": "device", "device": description})


async def come_back(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Redirects the browser to this endpoint once more, without a page."""
    return Authorization(kind="resume", request=await _store(deps, ctx, request))


async def _store(
    deps: Deps,
    ctx: Context,
    request: AuthorizationRequest,
    step: str | None = None,
    *,
    reauthenticate: bool = False,
) -> str:
    """Stores the request, or updates the stored one. Returns its identifier."""
    session = request.session
    previous = request.pending.prompted if request.pending else []
    prompted = sorted({*previous, step} if step else previous)
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
                reauthenticate=reauthenticate,
            )
            return request.request_id
        request_id = token("ar_", 24)
        id_hash = deps.keys.hash("authorization-request", request_id)
        new = _new(ctx, request, id_hash, prompted=prompted, reauthenticate=reauthenticate)
        await authorization_requests.insert(tx, new)
    return request_id


def _new(
    ctx: Context,
    request: AuthorizationRequest,
    id_hash: str,
    *,
    prompted: list[str],
    reauthenticate: bool,
) -> NewPendingAuthorization:
    session = request.session
    return NewPendingAuthorization(
        app_id=ctx.app_id,
        id_hash=id_hash,
        client_id=request.client.client_id,
        params=request.params,
        user_id=session.user_id if session else None,
        session_id=session.session_id if session else None,
        prompted=prompted,
        reauthenticate=reauthenticate,
        lifetime=LIFETIME,
        pushed_hash=request.pushed_hash,
        signed=request.signed,
        jti_hash=request.jti_hash,
        device_code_hash=request.device.device_code_hash if request.device else None,
    )


def _page(
    request: AuthorizationRequest,
    kind: Literal["sign_in", "step_up", "select_account", "consent"],
    request_id: str,
    *,
    reauthenticate: bool = False,
    way: Way | None = None,
) -> Authorization:
    client = request.client
    verified = client.source == client_display.DEVELOPER
    return Authorization(
        kind=kind,
        request=request_id,
        client_name=client_display.shown_name(client, request.redirect_uri),
        client_id=client.client_id,
        client_uri=client.client_uri if verified else None,
        logo_uri=client.logo_uri if verified else None,
        policy_uri=client.policy_uri,
        tos_uri=client.tos_uri,
        scopes=request.consent_scopes,
        login_hint=request.parameters.get("login_hint"),
        ui_locales=request.parameters.get("ui_locales"),
        reauthenticate=reauthenticate,
        way=way,
        claimed_name=None if verified else client.name,
        redirects_to=client_display.target(request.redirect_uri),
    )
