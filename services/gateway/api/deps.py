"""The parameters that routes of the JSON API ask for: the gateway, the request, the bus, the Context."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request, Response

from common.bus import Bus
from common.context import Context
from common.problems import Invalid, Unauthenticated
from gateway.api.conditional_bus import ConditionalBus, refuse_condition, with_condition
from gateway.api.unknown_fields import check_fields
from gateway.auth.caller import PUBLISHABLE, caller_of, guest_context
from gateway.auth.managed_application import managed_application
from gateway.http import csrf
from gateway.http.authorization import bearer_token
from gateway.http.request import GatewayRequest
from gateway.state import Gateway

# All of them are coroutines: FastAPI runs a plain function in a thread, which takes longer than what
# these do.


async def the_gateway(http: Request) -> Gateway:
    return cast(Gateway, http.scope["gateway"])


TheGateway = Annotated[Gateway, Depends(the_gateway)]


async def the_request(http: Request) -> GatewayRequest:
    return cast(GatewayRequest, http.scope["gateway_request"])


TheRequest = Annotated[GatewayRequest, Depends(the_request)]


async def the_bus(http: Request, response: Response, gateway: TheGateway) -> Bus:
    return ConditionalBus(gateway.bus, http, response)


TheBus = Annotated[Bus, Depends(the_bus)]


async def anyone(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns the Context of an anonymous caller, for calls that look at no credential."""
    _check(gateway, request, by_bearer=False)
    refuse_condition(http)
    await check_fields(http)
    return request.context()


async def starting(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns the Context of a sign-in or sign-up: that of the browser's guest, else an anonymous
    one."""
    _check(gateway, request, by_bearer=False)
    refuse_condition(http)
    await check_fields(http)
    return await guest_context(gateway, request)


async def with_publishable_key(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns an anonymous Context for a call with the application's publishable key. Raises
    Unauthenticated."""
    _check(gateway, request, by_bearer=False)
    if not (bearer_token(request) or "").startswith(PUBLISHABLE):
        raise Unauthenticated("send the publishable key as the bearer token")
    ctx = request.context(await caller_of(gateway, request))
    refuse_condition(http)
    await check_fields(http)
    return ctx


async def signed_in(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns the Context of the caller on this host. Raises Unauthenticated."""
    ctx = await _authenticated(gateway, request)
    await check_fields(http)
    return with_condition(http, ctx)


async def acting(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns the Context of the caller in the application of this host. Under
    `/api/applications/{slug}` it is that of a developer in that application: the one path across
    applications. Raises Unauthenticated."""
    ctx = await _authenticated(gateway, request)
    slug = http.path_params.get("slug")
    if slug is not None:
        ctx = (await managed_application(gateway, request, ctx, slug)).ctx
    await check_fields(http)
    return with_condition(http, ctx)


async def acting_or_anonymous(http: Request, gateway: TheGateway, request: TheRequest) -> Context:
    """Returns the Context as `acting` does, and on the application's own host that of an anonymous
    caller too. Raises Unauthenticated under `/api/applications/{slug}`."""
    if "slug" in http.path_params:
        return await acting(http, gateway, request)
    _check(gateway, request, by_bearer=True)
    ctx = request.context(await caller_of(gateway, request))
    await check_fields(http)
    return with_condition(http, ctx)


async def _authenticated(gateway: Gateway, request: GatewayRequest) -> Context:
    _check(gateway, request, by_bearer=True)
    ctx = request.context(await caller_of(gateway, request))
    if ctx.caller.kind == "anonymous":
        raise Unauthenticated
    return ctx


def _check(gateway: Gateway, request: GatewayRequest, *, by_bearer: bool) -> None:
    """Raises CrossSite for a call of another site, and Invalid for a body that is not JSON."""
    csrf.check_call(gateway.settings, request, by_bearer=by_bearer)
    has_body = request.headers.get(b"content-length") not in (None, b"0")
    is_json = request.media_type == "application/json"
    if request.method in ("POST", "PUT", "PATCH") and has_body and not is_json:
        raise Invalid("send the body as application/json")


Anyone = Annotated[Context, Depends(anyone)]
Starting = Annotated[Context, Depends(starting)]
WithPublishableKey = Annotated[Context, Depends(with_publishable_key)]
SignedIn = Annotated[Context, Depends(signed_in)]
Acting = Annotated[Context, Depends(acting)]
ActingOrAnonymous = Annotated[Context, Depends(acting_or_anonymous)]
