"""What routes ask for: the bus, and the Context of this request."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from common.bus import Bus
from common.context import Caller, Context
from common.contracts.tenants import ManageApplication
from common.problems import Invalid, Unauthenticated
from gateway.api import unknown_fields as known
from gateway.auth.caller import caller_of
from gateway.http import csrf
from gateway.http.request import GatewayRequest

# All of them are coroutines: FastAPI sends a plain function to a thread, which takes longer than the
# whole of what these do.


async def the_visit(request: Request) -> GatewayRequest:
    return cast(GatewayRequest, request.scope["visit"])


TheVisit = Annotated[GatewayRequest, Depends(the_visit)]


async def the_bus(visit: TheVisit) -> Bus:
    return visit.gateway.bus


TheBus = Annotated[Bus, Depends(the_bus)]


async def anyone(request: Request, visit: TheVisit) -> Context:
    """Nobody's credentials are looked at: signing in, public lists."""
    _check(visit, by_bearer=False)
    await known.check(request)
    return visit.context()


async def signed_in(request: Request, visit: TheVisit) -> Context:
    """The caller on this host. Raises Unauthenticated where there is none."""
    ctx = await _signed_in(visit)
    await known.check(request)
    return ctx


async def acting(request: Request, visit: TheVisit) -> Context:
    """The caller, acting in the application of this host or, under `/api/applications/{slug}`,
    a developer acting in that application: the one path across applications."""
    ctx = await _signed_in(visit)
    slug = request.path_params.get("slug")
    if slug is not None:
        ctx = await _managing(visit, ctx, slug)
    await known.check(request)
    return ctx


async def _signed_in(visit: GatewayRequest) -> Context:
    _check(visit)
    ctx = visit.context(await caller_of(visit))
    if ctx.caller.kind == "anonymous":
        raise Unauthenticated
    return ctx


async def _managing(visit: GatewayRequest, ctx: Context, slug: str) -> Context:
    managed = await visit.gateway.bus.call(ctx, ManageApplication(slug=slug))
    visit.facts["managed"] = managed.tenant.app_id
    developer = Caller(
        kind="developer",
        id=ctx.caller.id,
        permissions=frozenset(managed.permissions),
        teams=ctx.caller.teams,
        session_id=ctx.caller.session_id,
    )
    return visit.context(developer, app_id=managed.tenant.app_id)


def _check(visit: GatewayRequest, *, by_bearer: bool = True) -> None:
    """What holds for every JSON call that changes something."""
    csrf.check_call(visit, by_bearer=by_bearer)
    if visit.method in ("POST", "PUT", "PATCH") and visit.headers.get(b"content-length") not in (
        None,
        b"0",
    ):
        kind = (visit.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Invalid("send the body as application/json")


Anyone = Annotated[Context, Depends(anyone)]
SignedIn = Annotated[Context, Depends(signed_in)]
Acting = Annotated[Context, Depends(acting)]
