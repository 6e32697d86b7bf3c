"""Handles the list of an application's signing keys, and their rotation by its people."""

from __future__ import annotations

from datetime import timedelta

from common.context import Context
from common.contracts.keys import (
    ListSigningKeys,
    PublishedKey,
    PublishedKeys,
    RotateKeys,
    RotateSigningKeys,
)
from oidc import keys as signing_keys
from oidc.deps import Deps
from oidc.queries import keys
from oidc.queries.keys import KeyRow


async def list_(deps: Deps, ctx: Context, _: ListSigningKeys) -> PublishedKeys:
    """Returns the published keys. It opens no private part, and changes no key that is due."""
    async with deps.db.reader(ctx) as db:
        rows = await keys.list_published(db, app_id=ctx.app_id)
    lifetime = timedelta(days=deps.settings.key_rotation_days)
    return PublishedKeys(signing_keys=[_published(row, lifetime) for row in rows])


async def rotate(deps: Deps, ctx: Context, request: RotateSigningKeys) -> PublishedKeys:
    """Rotates the keys, and returns the published ones. Raises TooManySigningKeys."""
    await signing_keys.rotate(deps, ctx, RotateKeys(alg=request.alg, now=request.now))
    return await list_(deps, ctx, ListSigningKeys())


def _published(row: KeyRow, lifetime: timedelta) -> PublishedKey:
    signs_at = row.activated_at or row.not_before
    return PublishedKey(
        kid=row.kid,
        alg=row.alg,
        state=row.state,
        created_at=row.created_at,
        signs_at=signs_at,
        replaced_at=signs_at + lifetime if row.state == "active" else None,
        retires_at=row.retire_at if row.state == "retiring" else None,
    )
