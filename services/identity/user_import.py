"""Users in bulk: import and export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from common import audit
from common.address_keys import address_key
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.user_import import (
    Arrival,
    Arrivals,
    ExportUsers,
    ImportUsers,
    TransferredUser,
    TransferredUsers,
)
from common.events.users import UsersImported
from common.field_errors import field_errors
from common.ids import new_id
from common.unknown_fields import unknown_fields
from identity import delegation, imported, metadata
from identity.deps import Deps
from identity.hashing import too_long
from identity.queries import user_import

ROOM: Final = 600_000
"""Bytes of one answer on the bus, which carries a megabyte at most."""
MOST_ERRORS: Final = 20
"""Errors that are listed of one line."""
M = TypeVar("M", bound=BaseModel)


class _DryRun(Exception):
    """Nothing is kept."""


@dataclass(frozen=True)
class Line:
    """A line of an import: the user it describes, or why it is refused."""

    user: TransferredUser | None
    errors: list[dict[str, str]]


async def take(deps: Deps, ctx: Context, request: ImportUsers) -> Arrivals:
    settings = (await deps.tenants.get(ctx)).settings
    lines = await _with_metadata(deps, ctx, settings, [_line(line) for line in request.users])
    rows = await _rows(deps, ctx, lines, dry=request.dry_run)
    try:
        async with deps.db.transaction(ctx) as tx:
            made: set[int] = set()
            if rows:
                made = await user_import.insert(tx, app_id=ctx.app_id, rows=list(rows.values()))
            if made:
                await audit.record(tx, ctx, UsersImported(count=len(made)))
            if request.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return Arrivals(
        arrivals=[
            Arrival(status="invalid", errors=line.errors)
            if line.user is None
            else Arrival(status="created", user_id=rows[number]["id"])
            if number in made
            else Arrival(status="exists")
            for number, line in enumerate(lines)
        ]
    )


def _line(sent: Any) -> Line:
    strangers = [one.error() for one in islice(unknown_fields(TransferredUser, sent), MOST_ERRORS)]
    try:
        user = TransferredUser.model_validate(sent)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        faults = field_errors([{**one, "loc": one["loc"] or ("line",)} for one in listed])
        return Line(None, (strangers + faults)[:MOST_ERRORS])
    errors = strangers + _faults(user)
    return Line(None if errors else user, errors)


async def _with_metadata(
    deps: Deps, ctx: Context, settings: AppSettings, lines: list[Line]
) -> list[Line]:
    """Refuses those lines, too, whose metadata the application's schemas do not allow."""
    sound = [number for number, line in enumerate(lines) if line.user is not None]
    data = [
        user.model_dump(include=set(metadata.KINDS), exclude_unset=True)
        for line in lines
        if (user := line.user) is not None
    ]
    faults = await metadata.faults_of(deps.workers, ctx.app_id, settings, data)
    checked = list(lines)
    for number, errors in zip(sound, faults, strict=True):
        if errors:
            checked[number] = Line(None, errors)
    return checked


async def _rows(
    deps: Deps, ctx: Context, lines: list[Line], *, dry: bool
) -> dict[int, dict[str, Any]]:
    """The rows to insert by the number of their line. Lines with the id and the address of an
    earlier line are left out."""
    rows: dict[int, dict[str, Any]] = {}
    seen: set[tuple[str | None, str | None]] = set()
    for number, line in enumerate(lines):
        user = line.user
        if user is None or (user.id, user.email) in seen:
            continue
        seen.add((user.id, user.email))
        row = user.model_dump(exclude={"password", "password_hash", "created_at"})
        rows[number] = row | {
            "line": number,
            "id": user.id or new_id(),
            "email_normalized": None if user.email is None else address_key(user.email),
            "phc": await _phc(deps, ctx, user, dry=dry),
            "created_at": (user.created_at or datetime.now(UTC)).isoformat(),
        }
    return rows


def _faults(user: TransferredUser) -> list[dict[str, str]]:
    faults = []
    if user.email is None and user.id is None:
        faults.append({"field": "email", "message": "an address or an id is needed"})
    if user.id is not None and len(set(user.id) - {"-"}) == 1:
        faults.append({"field": "id", "message": "this UUID stands for no id"})
    if user.email is None and user.email_verified:
        faults.append({"field": "email_verified", "message": "there is no address to verify"})
    if user.password_hash is not None:
        refusal = imported.refusal(user.password_hash)
        if refusal is not None:
            faults.append({"field": "password_hash", "message": refusal})
    if user.phone_number is None and user.phone_number_verified:
        faults.append({"field": "phone_number_verified", "message": "there is no number to verify"})
    if user.created_at is not None and user.created_at > datetime.now(UTC):
        faults.append({"field": "created_at", "message": "it lies in the future"})
    if user.password is not None and (too_long(user.password) or not user.password):
        faults.append({"field": "password", "message": "between 1 and 256 bytes"})
    if user.password is not None and user.password_hash is not None:
        faults.append({"field": "password_hash", "message": "send a password or a hash, not both"})
    return faults


async def _phc(deps: Deps, ctx: Context, user: TransferredUser, *, dry: bool) -> str | None:
    if user.password is not None and not dry:
        return await deps.hashing.hash(ctx.app_id, user.password)
    return user.password_hash


async def give(deps: Deps, ctx: Context, request: ExportUsers) -> TransferredUsers:
    if request.password_hashes:
        await delegation.over_everybody(deps, ctx)
    at, id = deps.cursors.read(ctx.app_id, "export", request.cursor, 2)
    async with deps.db.reading(ctx) as db:
        found = await user_import.page(
            db,
            app_id=ctx.app_id,
            after=at,
            after_id=id,
            limit=request.limit + 1,
            hashes=request.password_hashes,
        )
    rows, next = deps.cursors.page(
        ctx.app_id,
        "export",
        found,
        request.limit,
        key=lambda user: (user.created_at, user.id),
        fit=fitting,
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
