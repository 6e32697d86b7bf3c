"""Users in bulk: import and export."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from common import audit
from common.context import Context
from common.contracts.transfer import (
    Arrival,
    Arrivals,
    ExportUsers,
    ImportUsers,
    TransferredUser,
    TransferredUsers,
)
from common.events.users import UsersImported
from common.ids import new_id
from common.problems import Forbidden
from identity import imported, metadata
from identity.deps import Deps
from identity.hashing import too_long
from identity.queries import transfer

ROOM: Final = 600_000
"""Bytes of one answer on the bus, which carries a megabyte at most."""
M = TypeVar("M", bound=BaseModel)


class _DryRun(Exception):
    """Nothing is kept."""


async def take(deps: Deps, ctx: Context, asked: ImportUsers) -> Arrivals:
    settings = (await deps.tenants.get(ctx)).settings
    faults = [_faults(user) for user in asked.users]
    given = [
        user.model_dump(include=set(metadata.KINDS), exclude_unset=True) for user in asked.users
    ]
    for fault, more in zip(
        faults,
        await metadata.faults_of(deps.workers, ctx.app_id, settings, given),
        strict=True,
    ):
        fault += more
    rows = [
        _row(user, await _phc(deps, ctx, user, dry=asked.dry_run))
        for user, fault in zip(asked.users, faults, strict=True)
        if not fault
    ]
    try:
        async with deps.db.transaction(ctx) as tx:
            made = set(await transfer.insert(tx, app_id=ctx.app_id, rows=rows)) if rows else set()
            if made:
                await audit.record(tx, ctx, UsersImported(count=len(made)))
            if asked.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    ids = iter(row["id"] for row in rows)
    return Arrivals(
        arrivals=[
            Arrival(status="invalid", errors=fault) if fault else _arrival(next(ids), made)
            for fault in faults
        ]
    )


def _arrival(id: str, made: set[str]) -> Arrival:
    return Arrival(status="created", user_id=id) if id in made else Arrival(status="exists")


def _faults(user: TransferredUser) -> list[dict[str, str]]:
    faults = []
    if user.email is None and user.id is None:
        faults.append({"field": "email", "message": "an address or an id is needed"})
    if user.email is None and user.email_verified:
        faults.append({"field": "email_verified", "message": "there is no address to verify"})
    if user.password_hash is not None:
        refusal = imported.refusal(user.password_hash)
        if refusal is not None:
            faults.append({"field": "password_hash", "message": refusal})
    if user.password is not None and (too_long(user.password) or not user.password):
        faults.append({"field": "password", "message": "between 1 and 256 bytes"})
    return faults


async def _phc(deps: Deps, ctx: Context, user: TransferredUser, *, dry: bool) -> str | None:
    if user.password is not None and not dry:
        return await deps.hashing.hash(ctx.app_id, user.password)
    return user.password_hash


def _row(user: TransferredUser, phc: str | None) -> dict[str, Any]:
    now = datetime.now(UTC)
    created = user.created_at or now
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    row = user.model_dump(exclude={"password", "password_hash", "created_at"})
    row |= {"id": user.id or new_id(), "phc": phc, "created_at": min(created, now).isoformat()}
    return row


async def give(deps: Deps, ctx: Context, asked: ExportUsers) -> TransferredUsers:
    if asked.password_hashes and not ctx.caller.may("*"):
        raise Forbidden("exporting hashes takes all permissions of the application")
    at, id = deps.cursors.read(ctx.app_id, "export", asked.cursor, 2)
    async with deps.db.reading(ctx) as db:
        found = await transfer.page(
            db,
            app_id=ctx.app_id,
            after=at,
            after_id=id,
            limit=asked.limit + 1,
            hashes=asked.password_hashes,
        )
    rows, next = deps.cursors.page(
        ctx.app_id, "export", found, asked.limit, lambda user: (user.created_at, user.id), fitting
    )
    return TransferredUsers(users=rows, next=next)


def fitting(rows: list[M]) -> list[M]:
    """As many of the rows as one answer carries, at least one: metadata may be large."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row.model_dump_json())
        if size > ROOM and number:
            return rows[:number]
    return rows
