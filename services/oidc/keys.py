"""Signing keys of an application.

A key is published before it signs, so that relying parties have fetched it by then. After its
successor has taken over, it is kept until the last token that it signed has expired.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from common import audit, clock
from common.context import Context
from common.contracts.base import Done
from common.contracts.keys import (
    EnsureKeys,
    GetJwks,
    Jwks,
    RotatedKeys,
    RotateKeys,
    TooManySigningKeys,
    WaitingKey,
)
from common.db import Db
from common.events.keys import KeysRotated
from common.problems import BadRequest
from oidc import json_web_keys
from oidc.deps import Deps
from oidc.json_web_keys import KeySet, SigningKey
from oidc.queries import keys
from oidc.queries.keys import KeyRow

FIRST: Final = ("RS256", "ES256")
"""Algorithms of every application. OpenID Connect requires RS256. Access tokens use ES256."""
MOST_RETIRING: Final = 12
"""Replaced keys of an application that still verify, before its people can replace no other key."""
REPEATED: Final = timedelta(minutes=1)
"""A key that signs for less than this was activated by the same request, sent twice."""


async def ensure(deps: Deps, ctx: Context, _: EnsureKeys) -> Done:
    """Creates the keys that a new application starts with, if it has none."""
    for alg in FIRST:
        await signing_key(deps, ctx, alg)
    return Done()


async def get_jwks(deps: Deps, ctx: Context, _: GetJwks) -> Jwks:
    """Returns the application's public keys (RFC 7517 section 5)."""
    key_set = await get_key_set(deps, ctx)
    if not key_set.jwks:
        await ensure(deps, ctx, EnsureKeys())
        key_set = await get_key_set(deps, ctx)
    return Jwks(keys=key_set.jwks)


async def rotate(deps: Deps, ctx: Context, request: RotateKeys) -> RotatedKeys:
    """Publishes the next keys. They sign after `key_publish_hours`, or at once with `now`.

    If the next key of an algorithm is published already, no other one is created. With `now`, that
    key signs. Raises BadRequest for an unknown algorithm, TooManySigningKeys.
    """
    key_set = await get_key_set(deps, ctx)
    algs = [request.alg] if request.alg else list(key_set.signing) or list(FIRST)
    if not set(algs) <= set(json_web_keys.ALGORITHMS):
        raise BadRequest(f"there are no keys for {request.alg}")
    async with deps.db.reader(ctx) as db:
        _check_number(ctx, await keys.list_published(db, app_id=ctx.app_id), request)
    ders = {}
    for alg in algs:
        await signing_key(deps, ctx, alg)
        ders[alg] = await deps.pool.run(ctx.app_id, partial(json_web_keys.generate, alg))
    published: list[str] = []
    async with deps.db.transaction(ctx) as tx:
        rows = await keys.lock_published(tx, app_id=ctx.app_id)
        _check_number(ctx, rows, request)
        ders = _unrepeated(ctx, rows, ders, request)
        waiting = {row.alg: row for row in rows if row.state == "next" and row.alg in ders}
        for alg, der in ders.items():
            if alg not in waiting:
                published.append(await _insert(deps, tx, ctx, alg=alg, der=der, state="next"))
            if request.now:
                await keys.activate_next(tx, app_id=ctx.app_id, alg=alg, keep=_keep(deps))
        kids = [*published, *(row.kid for row in waiting.values())] if request.now else published
        if kids:
            await audit.record(tx, ctx, KeysRotated(kids=kids, at_once=request.now))
    await deps.invalidate(ctx, "key")
    left = [] if request.now else sorted(waiting.values(), key=lambda row: row.alg)
    return RotatedKeys(
        keys=(await get_jwks(deps, ctx, GetJwks())).keys,
        published=published,
        waiting=[WaitingKey(kid=row.kid, alg=row.alg, signs_at=row.not_before) for row in left],
    )


def _check_number(ctx: Context, rows: list[KeyRow], request: RotateKeys) -> None:
    """Raises TooManySigningKeys if too many keys verify already. Anybody fetches all of them. The command
    line may go on: a leaked key has to go."""
    retiring = sum(row.state == "retiring" for row in rows)
    if request.now and ctx.caller.kind != "system" and retiring >= MOST_RETIRING:
        raise TooManySigningKeys


def _unrepeated(
    ctx: Context, rows: list[KeyRow], ders: dict[str, bytes], request: RotateKeys
) -> dict[str, bytes]:
    """Returns the new keys without those that a request sent twice would replace again. A call at the
    same moment has replaced a key that is not active any more among the locked rows."""
    if not request.now or ctx.caller.kind == "system":
        return ders
    replaceable = {
        row.alg
        for row in rows
        if row.state == "active" and row.activated_at and row.activated_at + REPEATED <= row.now
    }
    return {alg: der for alg, der in ders.items() if alg in replaceable}


async def signing_key(deps: Deps, ctx: Context, alg: str) -> SigningKey:
    """Returns the key that signs with this algorithm. Creates it if the application has none."""
    key_set = deps.caches.keys.get((ctx.app_id, "keys"))
    if key_set is None:
        key_set = await get_key_set(deps, ctx)
    key = key_set.signing.get(alg)
    if key is not None:
        return key
    der = await deps.pool.run(ctx.app_id, partial(json_web_keys.generate, alg))
    async with deps.db.transaction(ctx) as tx:
        await _insert(deps, tx, ctx, alg=alg, der=der, state="active")
    await deps.invalidate(ctx, "key")
    return (await get_key_set(deps, ctx)).signing[alg]


async def get_key_set(deps: Deps, ctx: Context) -> KeySet:
    """Returns the application's keys, private parts included. They are cached for a minute."""
    return await deps.caches.keys.fetch(
        (ctx.app_id, "keys"),
        lambda: _load(deps, ctx),
        tags=lambda key_set: [("key", "all"), ("application", key_set.app_id)],
    )


async def _load(deps: Deps, ctx: Context) -> KeySet:
    """Reads the keys, and rotates them first if that is due."""
    async with deps.db.reader(ctx) as db:
        rows = await keys.list_published(db, app_id=ctx.app_id)
        if not any(_is_due(deps, row) for row in rows):
            return await _decrypt(deps, db, ctx, rows)
    await _advance(deps, ctx)
    async with deps.db.reader(ctx) as db:
        rows = await keys.list_published(db, app_id=ctx.app_id)
        return await _decrypt(deps, db, ctx, rows)


async def _decrypt(deps: Deps, db: Db, ctx: Context, rows: list[KeyRow]) -> KeySet:
    active: dict[str, SigningKey] = {}
    for row in rows:
        if row.state == "active" and row.private_sealed:
            place = ("signing_keys", "private_sealed", row.kid)
            der = await deps.sealer.open(db, ctx.app_id, place, row.private_sealed)
            active[row.alg] = json_web_keys.load_private(row.kid, row.alg, der)
    public = {row.kid: json_web_keys.load_public(row.public_jwk, row.alg) for row in rows}
    return KeySet(ctx.app_id, active, public, [row.public_jwk for row in rows])


def _is_due(deps: Deps, row: KeyRow) -> bool:
    """Returns whether rotation has to change this key's state, or to publish its successor."""
    if row.state == "retiring":
        return row.retire_at is not None and row.retire_at <= row.now
    if row.state == "next":
        return row.not_before <= row.now
    return _needs_successor(deps, row)


def _needs_successor(deps: Deps, row: KeyRow) -> bool:
    """Returns whether the successor of an active key has to be published now."""
    if row.activated_at is None:
        return False
    ahead = timedelta(hours=deps.settings.key_publish_hours)
    return row.activated_at + timedelta(days=deps.settings.key_rotation_days) - ahead <= row.now


async def _advance(deps: Deps, ctx: Context) -> None:
    """Retires, activates and publishes keys that are due. The rows are locked against replicas."""
    published: list[str] = []
    async with deps.db.transaction(ctx) as tx:
        await keys.retire_expired(tx, app_id=ctx.app_id)
        rows = await keys.lock_published(tx, app_id=ctx.app_id)
        waiting = {row.alg: row for row in rows if row.state == "next"}
        for row in rows:
            successor = waiting.get(row.alg)
            if row.state != "active":
                continue
            if successor is not None and successor.not_before <= row.now:
                await keys.activate_next(tx, app_id=ctx.app_id, alg=row.alg, keep=_keep(deps))
            elif successor is None and _needs_successor(deps, row):
                der = await deps.pool.run(ctx.app_id, partial(json_web_keys.generate, row.alg))
                published.append(await _insert(deps, tx, ctx, alg=row.alg, der=der, state="next"))
        if published:
            await audit.record(tx, ctx, KeysRotated(kids=published))
    await deps.invalidation.publish(ctx, "key")


async def _insert(deps: Deps, tx: Db, ctx: Context, *, alg: str, der: bytes, state: str) -> str:
    """Stores a key with its private part encrypted. Returns its `kid`."""
    jwk = json_web_keys.public_jwk(alg, der)
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
        not_before=clock.utc_now() + ahead if state == "next" else None,
    )
    return jwk["kid"]


def _keep(deps: Deps) -> float:
    """Returns for how many seconds a replaced key still verifies."""
    return deps.settings.key_keep_hours * 3600
