"""Initial access tokens (RFC 7591 section 3): what administrators do with them, and their use."""

from __future__ import annotations

from typing import Final

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_registration import (
    CreateInitialAccessToken,
    DeleteInitialAccessToken,
    InitialAccessTokenNotFound,
    InitialAccessTokens,
    ListInitialAccessTokens,
    NewInitialAccessToken,
)
from common.contracts.oauth_errors import InvalidToken
from common.crypto import token
from common.db import Db
from common.events.clients import InitialAccessTokenCreated, InitialAccessTokenDeleted
from common.ids import new_id
from oidc.deps import Deps
from oidc.queries import initial_access_tokens
from oidc.timestamps import from_text

PURPOSE: Final = "initial-access-token"
UNUSABLE: Final = "the initial access token is unknown, expired or used up"


async def create(
    deps: Deps, ctx: Context, request: CreateInitialAccessToken
) -> NewInitialAccessToken:
    """Creates a token, which is shown this once."""
    text, id = token("iat_"), new_id()
    async with deps.db.transaction(ctx) as tx:
        row = await initial_access_tokens.insert(
            tx,
            app_id=ctx.app_id,
            id=id,
            name=request.name,
            token_hash=deps.keys.hash(PURPOSE, text),
            max_clients=request.max_clients,
            lifetime=request.expires_in,
        )
        event = InitialAccessTokenCreated(initial_access_token=id, name=request.name)
        await audit.record(tx, ctx, event)
    return NewInitialAccessToken(**row.model_dump(), token=text)


async def list_(deps: Deps, ctx: Context, request: ListInitialAccessTokens) -> InitialAccessTokens:
    """Lists the application's tokens by creation time."""
    of = "initial_access_tokens"
    after, after_id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        rows = await initial_access_tokens.page(
            db,
            app_id=ctx.app_id,
            after=from_text(after),
            after_id=after_id,
            limit=request.limit + 1,
        )
    page, next_cursor = deps.cursors.page(
        ctx.app_id, of, rows, request.limit, key=lambda row: (row.created_at, row.id)
    )
    return InitialAccessTokens(initial_access_tokens=page, next=next_cursor)


async def delete(deps: Deps, ctx: Context, request: DeleteInitialAccessToken) -> Done:
    """Revokes a token. Raises InitialAccessTokenNotFound."""
    async with deps.db.transaction(ctx) as tx:
        if not await initial_access_tokens.delete(tx, app_id=ctx.app_id, id=request.id):
            raise InitialAccessTokenNotFound
        await audit.record(tx, ctx, InitialAccessTokenDeleted(initial_access_token=request.id))
    return Done()


async def check(deps: Deps, ctx: Context, presented: str | None) -> list[str]:
    """Returns the hashes of a token with which a client can be registered. Raises InvalidToken."""
    hashes = deps.keys.hashes(PURPOSE, presented or "")
    async with deps.db.reader(ctx) as db:
        if presented and await initial_access_tokens.is_usable(
            db, app_id=ctx.app_id, token_hashes=hashes
        ):
            return hashes
    raise InvalidToken(UNUSABLE)


async def use(tx: Db, ctx: Context, hashes: list[str]) -> str:
    """Counts a client in the transaction that registers it. Returns the token's id. Raises InvalidToken."""
    id = await initial_access_tokens.use(tx, app_id=ctx.app_id, token_hashes=hashes)
    if id is None:
        raise InvalidToken(UNUSABLE)
    return id
