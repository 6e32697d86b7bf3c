"""Tokens with which clients register themselves (RFC 7591 section 3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.base import Done, Id
from common.contracts.client_registration import (
    CreateInitialAccessToken,
    DeleteInitialAccessToken,
    InitialAccessTokens,
    ListInitialAccessTokens,
    NewInitialAccessToken,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/initial-access-tokens", tags=["clients"])


@router.get("", summary="List initial access tokens")
async def list_initial_tokens(
    page: Annotated[ListInitialAccessTokens, Query()], ctx: Acting, bus: TheBus
) -> InitialAccessTokens:
    """Lists the tokens with which clients can register themselves, in the order of their creation. Needs
    `clients:read`."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Create an initial access token")
async def create_initial_token(
    new: CreateInitialAccessToken, ctx: Acting, bus: TheBus
) -> NewInitialAccessToken:
    """Creates a token and returns it. It cannot be shown again. Needs `clients:write`."""
    return await bus.call(ctx, new)


@router.delete("/{id}", summary="Revoke an initial access token")
async def delete_initial_token(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Revokes a token. Clients that were registered with it stay. Needs `clients:write`."""
    return await bus.call(ctx, DeleteInitialAccessToken(id=id))


routes = RouteSet(router=router, in_applications=True)
