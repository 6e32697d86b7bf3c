"""Users in bulk: import and export."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from common import audit, clock
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
from common.field_errors import FieldError, field_error, field_errors
from common.ids import DASHBOARD, new_id
from common.unknown_fields import unknown_fields
from identity import delegation_checks, imported_hashes, metadata, operators
from identity.deps import Deps
from identity.hashing import MAX_BYTES, too_long
from identity.queries import user_import

ROOM: Final = 600_000
"""Bytes of one answer on the bus, which carries a megabyte at most."""
MOST_ERRORS: Final = 20
"""Errors that are listed of one line."""
M = TypeVar("M", bound=BaseModel)


class _DryRun(Exception):
    """Rolls the transaction back."""


@dataclass(frozen=True)
class ImportLine:
    """A line of an import: the user it describes, or why it is refused."""

    user: TransferredUser | None
    errors: list[FieldError]


async def import_users(deps: Deps, ctx: Context, request: ImportUsers) -> Arrivals:
    """Creates users that do not exist yet. Each line is answered on its own. Raises Busy, and NotHeld
    or FreshSignInNeeded for an address that becomes operator."""
    await check_addresses(deps, ctx, request.users)
    lines = await checked_lines(deps, ctx, request.users)
    rows = await new_rows(deps, ctx, lines, dry=request.dry_run)
    try:
        async with deps.db.transaction(ctx) as tx:
            created_lines: set[int] = set()
            if rows:
                created_lines = await user_import.insert(
                    tx, app_id=ctx.app_id, rows=list(rows.values())
                )
            if created_lines:
                await audit.record(tx, ctx, UsersImported(count=len(created_lines)))
            if request.dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return Arrivals(arrivals=arrivals_of(lines, rows, created_lines))


async def check_addresses(deps: Deps, ctx: Context, sent: list[Any]) -> None:
    """Checks that the caller may import these addresses. Raises NotHeld, FreshSignInNeeded,
    FreshTokenNeeded."""
    if ctx.app_id == DASHBOARD:
        users = [_line(line).user for line in sent]
        await operators.check_naming(deps, ctx, [user.email for user in users if user])


async def checked_lines(deps: Deps, ctx: Context, sent: list[Any]) -> list[ImportLine]:
    """Returns each line as a user, or with the reasons why it is refused."""
    settings = (await deps.tenants.get(ctx)).settings
    return await _with_metadata(deps, ctx, settings, [_line(line) for line in sent])


def arrivals_of(
    lines: list[ImportLine], rows: dict[int, dict[str, Any]], created_lines: set[int]
) -> list[Arrival]:
    """Returns the result of each line."""
    return [
        Arrival(status="invalid", errors=line.errors)
        if line.user is None
        else Arrival(status="created", user_id=rows[number]["id"])
        if number in created_lines
        else Arrival(status="exists")
        for number, line in enumerate(lines)
    ]


def _line(sent: Any) -> ImportLine:
    strangers = [
        one.field_error() for one in islice(unknown_fields(TransferredUser, sent), MOST_ERRORS)
    ]
    try:
        user = TransferredUser.model_validate(sent)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        faults = field_errors([{**one, "loc": one["loc"] or ("line",)} for one in listed])
        return ImportLine(None, (strangers + faults)[:MOST_ERRORS])
    errors = strangers + _rule_errors(user)
    return ImportLine(None if errors else user, errors)


async def _with_metadata(
    deps: Deps, ctx: Context, settings: AppSettings, lines: list[ImportLine]
) -> list[ImportLine]:
    """Refuses also the lines whose metadata break the application's schemas."""
    sound = [number for number, line in enumerate(lines) if line.user is not None]
    data = [
        user.model_dump(include=set(metadata.KINDS), exclude_unset=True)
        for line in lines
        if (user := line.user) is not None
    ]
    faults = await metadata.errors_of(deps.workers, ctx.app_id, settings, data)
    checked = list(lines)
    for number, errors in zip(sound, faults, strict=True):
        if errors:
            checked[number] = ImportLine(None, errors)
    return checked


async def new_rows(
    deps: Deps, ctx: Context, lines: list[ImportLine], *, dry: bool
) -> dict[int, dict[str, Any]]:
    """Returns the rows to insert by the number of their line. A line with the id and address of an
    earlier one is left out."""
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
            "created_at": (user.created_at or clock.utc_now()).isoformat(),
        }
    return rows


def _rule_errors(user: TransferredUser) -> list[FieldError]:
    """Returns the field errors that the type of the line cannot express."""
    faults = []
    if user.email is None and user.id is None:
        faults.append(field_error("email", "email_or_id_required"))
    if user.id is not None and len(set(user.id) - {"-"}) == 1:
        faults.append(field_error("id", "id_is_constant"))
    if user.email is None and user.email_verified:
        faults.append(field_error("email_verified", "no_email_to_verify"))
    if user.password_hash is not None:
        unknown_hash = imported_hashes.refusal(user.password_hash)
        if unknown_hash is not None:
            faults.append(field_error("password_hash", unknown_hash.code, **unknown_hash.params))
    if user.phone_number is None and user.phone_number_verified:
        faults.append(field_error("phone_number_verified", "no_phone_number_to_verify"))
    if user.created_at is not None and user.created_at > clock.utc_now():
        faults.append(field_error("created_at", "time_in_future"))
    if user.password is not None and too_long(user.password):
        faults.append(field_error("password", "password_too_long", maximum=MAX_BYTES))
    if user.password == "":
        faults.append(field_error("password", "password_empty"))
    if user.password is not None and user.password_hash is not None:
        faults.append(field_error("password_hash", "password_and_hash"))
    return faults


async def _phc(deps: Deps, ctx: Context, user: TransferredUser, *, dry: bool) -> str | None:
    if user.password is not None and not dry:
        return await deps.hashing.hash(ctx.app_id, user.password)
    return user.password_hash


async def export_users(deps: Deps, ctx: Context, request: ExportUsers) -> TransferredUsers:
    """Returns one page of users, the oldest first. Raises NotHeld if hashes are requested."""
    if request.password_hashes:
        await delegation_checks.over_everybody(deps, ctx)
    at, id = deps.cursors.read(ctx.app_id, "export", request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        users = await user_import.page(
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
        users,
        request.limit,
        key=lambda user: (user.created_at, user.id),
        fit=fitting_rows,
    )
    return TransferredUsers(users=rows, next=next)


def fitting_rows(rows: list[M]) -> list[M]:
    """Returns as many of the rows as one message carries, and at least one: metadata may be
    large."""
    size = 0
    for number, row in enumerate(rows):
        size += len(row.model_dump_json())
        if size > ROOM and number:
            return rows[:number]
    return rows
