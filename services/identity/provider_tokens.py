"""Tokens of users at identity providers, for the backend of the application.

They are sealed on the link, refreshed on demand, and never in a list, an event or a log. One process
refreshes a token at a time, under a lease: no database connection waits for the provider.

Some providers accept a refresh token once. The new one is stored as soon as it is here, and what the
lease protected is never used again after that. If this process dies between the answer and the write, the
new tokens are lost. The next caller tries the old refresh token once, and the user signs in again if the
provider refuses it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from common import audit
from common.context import Context
from common.contracts.identities import IdentityNotFound
from common.contracts.provider_sign_in import ProviderAway
from common.contracts.provider_tokens import (
    GetProviderToken,
    OnlyForBackends,
    ProviderToken,
    ProviderTokenMissing,
)
from common.db import Db
from common.events.identities import ProviderTokenRead
from common.problems import Busy
from identity import delegation_checks
from identity.deps import Deps
from identity.providers.account import ProviderTokens
from identity.providers.exchange import refreshed_tokens
from identity.providers.failures import ProviderFailed
from identity.providers.token_call import TokenRefused
from identity.queries import identity_providers, provider_tokens
from identity.queries.provider_tokens import RefreshedToken, StoredToken

TABLE: Final = "user_identity_links"
BACKENDS: Final = frozenset({"secret_key", "client"})
LEASE: Final = 20.0
"""Seconds: longer than a call to a provider takes."""
PATIENCE: Final = 10.0
"""Seconds that a caller waits for another one's refresh."""
PAUSE: Final = 0.1
"""Seconds between two looks."""


async def get(deps: Deps, ctx: Context, request: GetProviderToken) -> ProviderToken:
    """Returns a usable access token, and records that it was read. Raises OnlyForBackends, NotHeld,
    IdentityNotFound, ProviderTokenMissing, ProviderAway, Busy."""
    if ctx.caller.kind not in BACKENDS:
        raise OnlyForBackends
    await delegation_checks.over_user(deps, ctx, request.user_id)
    give_up, refreshed = time.monotonic() + PATIENCE, False
    while not (stored := await _stored(deps, ctx, request)).fresh:
        if refreshed:
            break  # its whole life is shorter than our margin: another one would be, too
        if stored.refresh_token_sealed is None:
            raise ProviderTokenMissing
        if not stored.leased and await _lease(deps, ctx, stored):
            await _refresh(deps, ctx, stored)
            refreshed = True
        elif time.monotonic() > give_up:
            raise Busy
        else:
            await asyncio.sleep(PAUSE)
    async with deps.db.transaction(ctx) as tx:
        access = await _opened(
            deps,
            ctx,
            tx,
            link_id=stored.id,
            column="access_token",
            sealed=stored.access_token_sealed,
        )
        event = ProviderTokenRead(
            user_id=request.user_id, link_id=stored.id, provider=stored.provider
        )
        await audit.record(tx, ctx, event, user_id=request.user_id)
    return ProviderToken(
        access_token=access, scopes=stored.token_scopes, expires_at=stored.token_expires_at
    )


async def _stored(deps: Deps, ctx: Context, request: GetProviderToken) -> StoredToken:
    async with deps.db.reader(ctx) as db:
        stored = await provider_tokens.get(
            db, app_id=ctx.app_id, user_id=request.user_id, link_id=request.link_id
        )
    if stored is None:
        raise IdentityNotFound
    if not stored.usable:
        raise ProviderTokenMissing
    return stored


async def _lease(deps: Deps, ctx: Context, stored: StoredToken) -> bool:
    assert stored.refresh_token_sealed is not None
    async with deps.db.transaction(ctx) as tx:
        return await provider_tokens.lease(
            tx,
            app_id=ctx.app_id,
            link_id=stored.id,
            refresh_token_sealed=stored.refresh_token_sealed,
            ttl=LEASE,
        )


async def _refresh(deps: Deps, ctx: Context, stored: StoredToken) -> None:
    """Refreshes the token and stores the answer. Raises ProviderTokenMissing, ProviderAway."""
    async with deps.db.reader(ctx) as db:
        provider = await identity_providers.by_id(db, app_id=ctx.app_id, idp_id=stored.idp_id)
        sealed = stored.refresh_token_sealed
        refresh_token = await _opened(
            deps, ctx, db, link_id=stored.id, column="refresh_token", sealed=sealed
        )
    if provider is None:
        raise IdentityNotFound
    try:
        tokens = await refreshed_tokens(deps, ctx, provider, refresh_token=refresh_token)
    except TokenRefused as refused:
        if refused.error == "invalid_grant":
            await _store(deps, ctx, stored, None)
            raise ProviderTokenMissing from None
        await _end_lease(deps, ctx, stored)
        raise ProviderAway from None
    except ProviderFailed:
        await _end_lease(deps, ctx, stored)
        raise ProviderAway from None
    await _store(deps, ctx, stored, tokens)


async def _store(
    deps: Deps, ctx: Context, stored: StoredToken, tokens: ProviderTokens | None
) -> None:
    """Stores the tokens, or that there are none: the provider refuses the refresh token."""
    assert stored.refresh_token_sealed is not None
    async with deps.db.transaction(ctx) as tx:
        new = RefreshedToken(None, None, [], None)
        if tokens is not None:
            new = RefreshedToken(
                await _sealed(
                    deps, ctx, tx, link_id=stored.id, column="access_token", token=tokens.access
                ),
                await _sealed(
                    deps, ctx, tx, link_id=stored.id, column="refresh_token", token=tokens.refresh
                ),
                list(tokens.scopes),
                tokens.expires_at,
            )
        await provider_tokens.store(
            tx,
            app_id=ctx.app_id,
            link_id=stored.id,
            earlier_refresh_token=stored.refresh_token_sealed,
            new=new,
        )


async def _end_lease(deps: Deps, ctx: Context, stored: StoredToken) -> None:
    async with deps.db.transaction(ctx) as tx:
        await provider_tokens.end_lease(tx, app_id=ctx.app_id, link_id=stored.id)


async def _opened(
    deps: Deps, ctx: Context, db: Db, *, link_id: str, column: str, sealed: str | None
) -> str:
    if sealed is None:
        raise ProviderTokenMissing
    return (await deps.sealer.open(db, ctx.app_id, (TABLE, column, link_id), sealed)).decode()


async def _sealed(
    deps: Deps, ctx: Context, tx: Db, *, link_id: str, column: str, token: str | None
) -> str | None:
    if token is None:
        return None
    return await deps.sealer.seal(tx, ctx.app_id, (TABLE, column, link_id), token.encode())
