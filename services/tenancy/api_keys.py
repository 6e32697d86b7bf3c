"""Handles API keys. A publishable key names the application; a secret key acts for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from common import audit, clock
from common.context import Context
from common.contracts.api_keys import (
    AlreadyRotated,
    ApiKey,
    ApiKeyExists,
    ApiKeyHolder,
    ApiKeyNotFound,
    ApiKeys,
    CheckApiKey,
    CreateApiKey,
    KeyType,
    ListApiKeys,
    NewApiKey,
    RevokeApiKey,
    RotateApiKey,
    TooManyApiKeys,
    VerifyApiKey,
)
from common.contracts.base import Done
from common.contracts.delegation import CheckDelegation
from common.db import Db
from common.db_errors import violated_constraint
from common.events.api_keys import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid, Unauthenticated
from tenancy import api_key_format
from tenancy.deps import Deps
from tenancy.queries import api_keys

TYPES: Final[tuple[KeyType, ...]] = ("publishable", "secret")
LABEL: Final = "api_key"
"""The label of the keys' hashes."""
GRACE: Final = timedelta(hours=24)
"""How long a rotated key still works."""
MAX_LIFETIME: Final = timedelta(days=3653)
LIMIT: Final = 100
"""Live keys of one application."""


async def verify(deps: Deps, ctx: Context, request: VerifyApiKey) -> ApiKeyHolder:
    """Returns the application and type of a key, and notes its use. Raises Unauthenticated."""
    if api_key_format.kind_of(request.key) is None:
        raise Unauthenticated("the API key is malformed")
    async with deps.registry.reader(ctx) as db:
        holder = await api_keys.by_hash(
            db,
            key_prefix=request.key[: api_key_format.PREFIX],
            key_hashes=deps.keys.hashes(LABEL, request.key),
        )
    if holder is None:
        raise Unauthenticated("the API key is unknown, revoked or expired")
    deps.usage.note(holder.key_id)
    return holder


async def check(deps: Deps, ctx: Context, request: CheckApiKey) -> Done:
    """Checks that a secret key still works, for another service. Raises ApiKeyNotFound."""
    async with deps.registry.reader(ctx) as db:
        if not await api_keys.is_live_secret(db, app_id=ctx.app_id, id=request.id):
            raise ApiKeyNotFound
    return Done()


async def list_(deps: Deps, ctx: Context, request: ListApiKeys) -> ApiKeys:
    """Returns a page of live keys, the oldest first."""
    created_at, id = deps.cursors.read(ctx.app_id, "api_keys", request.cursor, 2)
    async with deps.registry.reader(ctx) as db:
        rows = await api_keys.page(
            db, app_id=ctx.app_id, after=(created_at, id), limit=request.limit + 1
        )
    page, next = deps.cursors.page(
        ctx.app_id, "api_keys", rows, request.limit, key=lambda key: (key.created_at, key.id)
    )
    return ApiKeys(api_keys=page, next=next)


async def create(deps: Deps, ctx: Context, request: CreateApiKey) -> NewApiKey:
    """Creates a key. Only this reply contains it.

    Raises Invalid, NotHeld, TooManyApiKeys, ApiKeyExists.
    """
    _check_expiry(request.expires_at)
    await _must_hold_everything(deps, ctx)
    try:
        async with deps.registry.transaction(ctx) as tx:
            if await api_keys.count(tx, app_id=ctx.app_id) >= LIMIT:
                raise TooManyApiKeys
            return await insert(
                deps,
                tx,
                ctx,
                request.key_type,
                id=request.id,
                name=request.name,
                expires_at=request.expires_at,
            )
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != "application_api_keys_pkey":
            raise
        raise ApiKeyExists from None


def _check_expiry(expires_at: datetime | None) -> None:
    """Raises Invalid."""
    now = clock.utc_now()
    if expires_at is not None and not now < expires_at <= now + MAX_LIFETIME:
        raise Invalid(errors=[field_error("expires_at", "expiry_out_of_range")])


async def _must_hold_everything(deps: Deps, ctx: Context) -> None:
    """Raises NotHeld if the caller lacks any permission of the application.

    A secret key holds every permission, so only a caller with all of them may make or end one.
    """
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(everything=True))


async def revoke(deps: Deps, ctx: Context, request: RevokeApiKey) -> Done:
    """Revokes the key in all processes. Raises NotHeld, ApiKeyNotFound."""
    await _must_hold_everything(deps, ctx)
    async with deps.registry.transaction(ctx) as tx:
        if not await api_keys.revoke(tx, app_id=ctx.app_id, id=request.id):
            raise ApiKeyNotFound
        await audit.record(tx, ctx, ApiKeyRevoked(key_id=request.id))
    await deps.invalidation.publish(ctx, "api_key", request.id)
    return Done()


async def rotate(deps: Deps, ctx: Context, request: RotateApiKey) -> NewApiKey:
    """Creates a successor with the same type, name and lifetime.

    The old key works for GRACE, so that every server can get the new one in time. Raises NotHeld,
    ApiKeyNotFound, AlreadyRotated.
    """
    await _must_hold_everything(deps, ctx)
    ends = clock.utc_now() + GRACE
    async with deps.registry.transaction(ctx) as tx:
        old = await api_keys.by_id_for_update(tx, app_id=ctx.app_id, id=request.id)
        if old is None:
            raise ApiKeyNotFound
        if old.rotated_to is not None:
            raise AlreadyRotated
        expires_at = _same_lifetime(old)
        successor = await insert(deps, tx, ctx, old.key_type, name=old.name, expires_at=expires_at)
        await api_keys.set_successor(
            tx, app_id=ctx.app_id, id=old.id, successor_id=successor.id, ends=ends
        )
        event = ApiKeyRotated(
            key_id=old.id, successor_id=successor.id, expires_at=min(ends, old.expires_at or ends)
        )
        await audit.record(tx, ctx, event)
    await deps.invalidation.publish(ctx, "api_key", old.id)
    return successor


def _same_lifetime(key: ApiKey) -> datetime | None:
    """Returns when a successor expires: a key for ninety days gets one for ninety days."""
    if key.expires_at is None:
        return None
    return clock.utc_now() + (key.expires_at - key.created_at)


async def insert(
    deps: Deps,
    tx: Db,
    ctx: Context,
    key_type: KeyType,
    *,
    id: str | None = None,
    name: str | None,
    expires_at: datetime | None = None,
) -> NewApiKey:
    """Creates a key of the context's application in `tx`, with its audit record."""
    key, caller = api_key_format.make(key_type), ctx.caller
    row = await api_keys.insert(
        tx,
        app_id=ctx.app_id,
        id=id or new_id(),
        key_type=key_type,
        key_prefix=key[: api_key_format.PREFIX],
        key_hash=deps.keys.hash(LABEL, key),
        name=name,
        created_by=caller.id if caller.kind in ("developer", "user") else None,
        expires_at=expires_at,
    )
    await audit.record(tx, ctx, ApiKeyCreated(key_id=row.id, key_type=key_type, name=name))
    return NewApiKey(**row.model_dump(), key=key)
