"""An application's API keys. Only in the Dashboard, under its slug: no key makes further keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.api_keys import (
    ApiKeys,
    CreateApiKey,
    ListApiKeys,
    NewApiKey,
    RevokeApiKey,
    RotateApiKey,
)
from common.contracts.base import Done, Id
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import HostKind, RouteSet

router = NounRouter(prefix="/applications/{slug}/api-keys", tags=["api_keys"])


@router.get("", summary="List API keys")
async def list_(
    slug: str, page: Annotated[ListApiKeys, Query()], ctx: Acting, bus: TheBus
) -> ApiKeys:
    """Lists the valid keys, oldest first. Only the first 12 characters of each key are shown. Needs
    `apps:read` and a membership in the team that owns the application."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Create an API key")
async def create(slug: str, new: CreateApiKey, ctx: Acting, bus: TheBus) -> NewApiKey:
    """Creates a key and returns it in full. It cannot be shown again. Needs `apps:write` and the
    team role `admin` or `developer`."""
    return await bus.call(ctx, new)


@router.delete("/{id}", summary="Revoke an API key")
async def revoke(slug: str, id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Revokes the key. It stops working before this call returns. Needs `apps:write` and the team
    role `admin` or `developer`."""
    return await bus.call(ctx, RevokeApiKey(id=id))


@router.post("/{id}/rotate", status_code=201, summary="Rotate an API key")
async def rotate(slug: str, id: Id, ctx: Acting, bus: TheBus) -> NewApiKey:
    """Creates a new key that works at once. The old key works for another 24 hours. Needs
    `apps:write` and the team role `admin` or `developer`."""
    return await bus.call(ctx, RotateApiKey(id=id))


routes = RouteSet(router=router, host=HostKind.DASHBOARD)
