"""API keys: publishable ones name the application, secret ones stand for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from common import audit
from common.context import Context
from common.contracts.api_keys import (
    AlreadyRotated,
    ApiKey,
    ApiKeyHolder,
    ApiKeyNotFound,
    ApiKeys,
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
from common.events.api_keys import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated
from common.field_errors import field_error
from common.ids import new_id
from common.problems import Invalid, Unauthenticated
from tenancy import key_format
from tenancy.deps import Deps
from tenancy.queries import api_keys

KINDS: Final[tuple[KeyType, ...]] = ("publishable", "secret")
LABEL: Final = "api_key"
"""Under which purpose key the digests are made."""
GRACE: Final = timedelta(hours=24)
LONGEST: Final = timedelta(days=3653)
LIMIT: Final = 100
"""Live keys of one application."""


async def verify(deps: Deps, ctx: Context, request: VerifyApiKey) -> ApiKeyHolder:
    if key_format.kind_of(request.key) is None:
        raise Unauthenticated("the API key is malformed")
    async with deps.db.reading(ctx) as db:
        holder = await api_keys.holder(
            db,
            key_prefix=request.key[: key_format.PREFIX],
            key_hashes=deps.keys.hashes(LABEL, request.key),
        )
    if holder is None:
        raise Unauthenticated("the API key is unknown, revoked or expired")
    deps.usage.note(holder.key_id)
    return holder


async def list_(deps: Deps, ctx: Context, request: ListApiKeys) -> ApiKeys:
    created_at, id = deps.cursors.read(ctx.app_id, "api_keys", request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        rows = await api_keys.live(
            db, app_id=ctx.app_id, after=(created_at, id), limit=request.limit + 1
        )
    shown, next = deps.cursors.page(
        ctx.app_id, "api_keys", rows, request.limit, lambda key: (key.created_at, key.id)
    )
    return ApiKeys(api_keys=shown, next=next)


async def create(deps: Deps, ctx: Context, new: CreateApiKey) -> NewApiKey:
    _sensible(new.expires_at)
    await _must_hold_everything(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        if await api_keys.count(tx, app_id=ctx.app_id) >= LIMIT:
            raise TooManyApiKeys
        return await insert(deps, tx, ctx, new.key_type, name=new.name, expires_at=new.expires_at)


def _sensible(ends: datetime | None) -> None:
    now = datetime.now(UTC)
    if ends is not None and not now < ends <= now + LONGEST:
        raise Invalid(errors=[field_error("expires_at", "expiry_out_of_range")])


async def _must_hold_everything(deps: Deps, ctx: Context) -> None:
    """A secret key holds every right, so nobody with fewer makes or ends one. Raises NotHeld."""
    if "*" not in ctx.caller.permissions:
        await deps.bus.call(ctx, CheckDelegation(everything=True))


async def revoke(deps: Deps, ctx: Context, request: RevokeApiKey) -> Done:
    await _must_hold_everything(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        if not await api_keys.revoke(tx, app_id=ctx.app_id, id=request.id):
            raise ApiKeyNotFound
        await audit.record(tx, ctx, ApiKeyRevoked(key_id=request.id))
    await deps.invalidation.publish(ctx, "api_key", request.id)
    return Done()


async def rotate(deps: Deps, ctx: Context, request: RotateApiKey) -> NewApiKey:
    """The old key has GRACE left, so that every server can be given the new one in time."""
    await _must_hold_everything(deps, ctx)
    ends = datetime.now(UTC) + GRACE
    async with deps.db.transaction(ctx) as tx:
        old = await api_keys.locked(tx, app_id=ctx.app_id, id=request.id)
        if old is None:
            raise ApiKeyNotFound
        if old.rotated_to is not None:
            raise AlreadyRotated
        made = await insert(deps, tx, ctx, old.key_type, name=old.name, expires_at=_same_life(old))
        await api_keys.succeeded(tx, app_id=ctx.app_id, id=old.id, by=made.id, ends=ends)
        rotated = ApiKeyRotated(
            key_id=old.id, successor_id=made.id, expires_at=min(ends, old.expires_at or ends)
        )
        await audit.record(tx, ctx, rotated)
    await deps.invalidation.publish(ctx, "api_key", old.id)
    return made


def _same_life(old: ApiKey) -> datetime | None:
    """A key that was made for ninety days gets a successor for ninety days."""
    if old.expires_at is None:
        return None
    return datetime.now(UTC) + (old.expires_at - old.created_at)


async def insert(
    deps: Deps,
    tx: Db,
    ctx: Context,
    kind: KeyType,
    *,
    name: str | None,
    expires_at: datetime | None = None,
) -> NewApiKey:
    """Make a key of the context's application, in `tx`, with its audit record."""
    key, who = key_format.make(kind), ctx.caller
    row = await api_keys.insert(
        tx,
        app_id=ctx.app_id,
        id=new_id(),
        key_type=kind,
        key_prefix=key[: key_format.PREFIX],
        key_hash=deps.keys.hash(LABEL, key),
        name=name,
        created_by=who.id if who.kind in ("developer", "user") else None,
        expires_at=expires_at,
    )
    await audit.record(tx, ctx, ApiKeyCreated(key_id=row.id, key_type=kind, name=name))
    return NewApiKey(**row.model_dump(), key=key)
