"""API keys: publishable ones name the application, secret ones stand for it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from common import audit
from common.context import Context
from common.contracts.audit import ApiKeyCreated
from common.contracts.tenancy import ApiKeyHolder, KeyType, NewApiKey, VerifyApiKey
from common.db import Db
from common.ids import new_id
from common.problems import Unauthenticated
from tenancy import key_format
from tenancy.deps import Deps
from tenancy.queries import api_keys

KINDS: Final[tuple[KeyType, ...]] = ("publishable", "secret")
LABEL: Final = "api_key"
"""Under which purpose key the digests are made."""


async def verify(deps: Deps, ctx: Context, asked: VerifyApiKey) -> ApiKeyHolder:
    if key_format.kind_of(asked.key) is None:
        raise Unauthenticated("the API key is malformed")
    async with deps.db.reading(ctx) as db:
        holder = await api_keys.holder(
            db,
            key_prefix=asked.key[: key_format.PREFIX],
            key_hashes=deps.keys.hashes(LABEL, asked.key),
        )
    if holder is None:
        raise Unauthenticated("the API key is unknown, revoked or expired")
    deps.usage.note(holder.key_id)
    return holder


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
