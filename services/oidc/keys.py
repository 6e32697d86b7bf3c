"""Signing keys of an application: made at its creation, published before they sign, kept until
the last token they signed is gone. Loaded once a minute at most, private parts included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.keys import EnsureKeys, GetJwks, Jwks, RotatedKeys, RotateKeys, WaitingKey
from common.db import Db
from common.events.keys import KeysRotated
from common.problems import BadRequest
from oidc import jose
from oidc.deps import Deps
from oidc.jose import PublicKey, SigningKey
from oidc.queries import keys
from oidc.queries.keys import KeyRow

FIRST: Final = ("RS256", "ES256")
"""What every application has: OpenID Connect demands RS256, ES256 is ours for access tokens."""


@dataclass(frozen=True)
class KeySet:
    """An application's keys: one that signs for each algorithm, and all that verify."""

    app_id: str
    signing: dict[str, SigningKey]
    verifying: dict[str, PublicKey]
    jwks: list[dict[str, str]]


async def ensure(deps: Deps, ctx: Context, _: EnsureKeys) -> Done:
    for alg in FIRST:
        await signing(deps, ctx, alg)
    return Done()


async def jwks(deps: Deps, ctx: Context, _: GetJwks) -> Jwks:
    found = await key_set(deps, ctx)
    if not found.jwks:
        await ensure(deps, ctx, EnsureKeys())
        found = await key_set(deps, ctx)
    return Jwks(keys=found.jwks)


async def rotate(deps: Deps, ctx: Context, request: RotateKeys) -> RotatedKeys:
    """RotateKeys: the next keys, published at once, signing after `key_publish_hours` or now.

    An algorithm whose next key still waits gets no other; with `now` that one signs."""
    current = await key_set(deps, ctx)
    algs = [request.alg] if request.alg else list(current.signing) or list(FIRST)
    if not set(algs) <= set(jose.ALGORITHMS):
        raise BadRequest(f"there are no keys for {request.alg}")
    ders = {}
    for alg in algs:
        await signing(deps, ctx, alg)
        ders[alg] = await deps.pool.run(ctx.app_id, partial(jose.generate, alg))
    made: list[str] = []
    async with deps.db.transaction(ctx) as tx:
        rows = await keys.lock(tx, app_id=ctx.app_id)
        waiting = {row.alg: row for row in rows if row.state == "next" and row.alg in ders}
        for alg, der in ders.items():
            if alg not in waiting:
                made.append(await _insert(deps, tx, ctx, alg, der, state="next"))
            if request.now:
                await keys.replace(tx, app_id=ctx.app_id, alg=alg, keep=_keep(deps))
        kids = [*made, *(row.kid for row in waiting.values())] if request.now else made
        if kids:
            await audit.record(tx, ctx, KeysRotated(kids=kids, at_once=request.now))
    await deps.changed(ctx, "key")
    left = [] if request.now else sorted(waiting.values(), key=lambda row: row.alg)
    return RotatedKeys(
        keys=(await jwks(deps, ctx, GetJwks())).keys,
        published=made,
        waiting=[WaitingKey(kid=row.kid, alg=row.alg, signs_at=row.not_before) for row in left],
    )


async def signing(deps: Deps, ctx: Context, alg: str) -> SigningKey:
    """The key that signs with `alg` now; made where the application has none yet."""
    found = deps.known.keys.get((ctx.app_id, "keys"))
    if found is None:
        found = await key_set(deps, ctx)
    key = found.signing.get(alg)
    if key is not None:
        return key
    der = await deps.pool.run(ctx.app_id, partial(jose.generate, alg))
    async with deps.db.transaction(ctx) as tx:
        await _insert(deps, tx, ctx, alg, der, state="active")
    await deps.changed(ctx, "key")
    return (await key_set(deps, ctx)).signing[alg]


async def key_set(deps: Deps, ctx: Context) -> KeySet:
    return await deps.known.keys.fetch(
        (ctx.app_id, "keys"),
        lambda: _load(deps, ctx),
        tags=lambda found: [("key", "all"), ("application", found.app_id)],
    )


async def _load(deps: Deps, ctx: Context) -> KeySet:
    async with deps.db.reading(ctx) as db:
        rows = await keys.published(db, app_id=ctx.app_id)
        if not any(_due(deps, row) for row in rows):
            return await _opened(deps, db, ctx, rows)
    await _advance(deps, ctx)
    async with deps.db.reading(ctx) as db:
        return await _opened(deps, db, ctx, await keys.published(db, app_id=ctx.app_id))


async def _opened(deps: Deps, db: Db, ctx: Context, rows: list[KeyRow]) -> KeySet:
    active: dict[str, SigningKey] = {}
    for row in rows:
        if row.state == "active" and row.private_sealed:
            place = ("signing_keys", "private_sealed", row.kid)
            der = await deps.sealer.open(db, ctx.app_id, place, row.private_sealed)
            active[row.alg] = jose.load_private(row.kid, row.alg, der)
    public = {row.kid: jose.load_public(row.public_jwk, row.alg) for row in rows}
    return KeySet(ctx.app_id, active, public, [row.public_jwk for row in rows])


def _due(deps: Deps, row: KeyRow) -> bool:
    """Whether rotation has something to do for this key."""
    if row.state == "retiring":
        return row.retire_at is not None and row.retire_at <= row.now
    if row.state == "next":
        return row.not_before <= row.now
    return _old(deps, row)


def _old(deps: Deps, row: KeyRow) -> bool:
    """Active for so long that the next key has to be published."""
    if row.activated_at is None:
        return False
    ahead = timedelta(hours=deps.settings.key_publish_hours)
    return row.activated_at + timedelta(days=deps.settings.key_rotation_days) - ahead <= row.now


async def _advance(deps: Deps, ctx: Context) -> None:
    """Retire, promote and publish, whatever is due; the rows are locked, so one replica does it."""
    made: list[str] = []
    async with deps.db.transaction(ctx) as tx:
        await keys.retire(tx, app_id=ctx.app_id)
        rows = await keys.lock(tx, app_id=ctx.app_id)
        waiting = {row.alg: row for row in rows if row.state == "next"}
        for row in rows:
            upcoming = waiting.get(row.alg)
            if row.state != "active":
                continue
            if upcoming is not None and upcoming.not_before <= row.now:
                await keys.replace(tx, app_id=ctx.app_id, alg=row.alg, keep=_keep(deps))
            elif upcoming is None and _old(deps, row):
                der = await deps.pool.run(ctx.app_id, partial(jose.generate, row.alg))
                made.append(await _insert(deps, tx, ctx, row.alg, der, state="next"))
        if made:
            await audit.record(tx, ctx, KeysRotated(kids=made))
    await deps.invalidation.publish(ctx, "key")


async def _insert(deps: Deps, tx: Db, ctx: Context, alg: str, der: bytes, *, state: str) -> str:
    jwk = jose.public_jwk(alg, der)
    place = ("signing_keys", "private_sealed", jwk["kid"])
    ahead = timedelta(hours=deps.settings.key_publish_hours)
    await keys.insert(
        tx,
        app_id=ctx.app_id,
        kid=jwk["kid"],
        alg=alg,
        public_jwk=jwk,
        private_sealed=await deps.sealer.seal(tx, ctx.app_id, place, der),
        state=state,
        not_before=datetime.now(UTC) + ahead if state == "next" else None,
    )
    return jwk["kid"]


def _keep(deps: Deps) -> float:
    return deps.settings.key_keep_hours * 3600
