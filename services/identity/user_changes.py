"""Changes of a user, by an administrator or by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg

from common import audit, conditions
from common.context import Context
from common.contracts.profiles import Me, MyChanges, User
from common.contracts.users import (
    EmailTaken,
    UserNotFound,
)
from common.db import Db
from common.events.users import (
    UserUpdated,
)
from common.field_errors import field_error
from common.problems import Invalid
from common.same_json import same_json
from identity import (
    guests,
    metadata,
    notices,
    session_end,
    user_provisioning,
)
from identity.deps import Deps
from identity.queries import accounts, users


def sent_fields(changes: MyChanges) -> dict[str, Any]:
    """Returns the fields that were sent. Null clears: a flag becomes false, metadata become
    empty."""
    empty: dict[str, Any] = {"email_verified": False, "phone_number_verified": False}
    empty |= {kind: {} for kind in metadata.KINDS}
    sent = changes.model_dump(exclude_unset=True)
    return {name: empty.get(name) if value is None else value for name, value in sent.items()}


def _check_verified_flags(before: User, changes: dict[str, Any]) -> None:
    """Raises Invalid if a flag says that a missing address or number is verified."""
    errors = [
        field_error(f"{name}_verified", f"no_{name}_to_verify")
        for name in ("email", "phone_number")
        if changes.get(f"{name}_verified") and changes.get(name, getattr(before, name)) is None
    ]
    if errors:
        raise Invalid(errors=errors)


async def apply_changes(
    deps: Deps,
    ctx: Context,
    user_id: str,
    changes: dict[str, Any],
    *,
    view: Callable[[User], Me] = lambda user: user,
) -> User:
    """Changes the user's columns. A new address ends the codes mailed to the old one, which is
    notified. `view` returns what GET shows the caller. Raises UserNotFound, EmailTaken."""
    tenant = await deps.tenants.get(ctx)
    try:
        async with deps.db.transaction(ctx) as tx:
            before = await _locked(tx, ctx, user_id)
            conditions.check(view(before))
            _check_verified_flags(before, changes)
            now = before.model_dump(include=set(changes))
            if not same_json(now, changes):
                await users.update(tx, app_id=ctx.app_id, id=user_id, changes=changes)
                event = UserUpdated(user_id=user_id, fields=sorted(changes))
                await audit.record(tx, ctx, event, user_id=user_id)
            if changes.get("email"):
                await guests.upgrade(ctx, tx, user_id, method="email")
            after = existing(await users.get(tx, app_id=ctx.app_id, id=user_id))
            if "email" in changes and after.email != before.email:
                await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=user_id)
                await session_end.end_codes(ctx, tx, user_id)
                await notices.send(
                    deps, ctx, tx, tenant, owner=before, kind="email_changed", email=after.email
                )
            proven_before = before.email_verified and before.email == after.email
            proven = after.email_verified and not proven_before
            if proven:
                await accounts.mark_unprovisioned(tx, app_id=ctx.app_id, id=user_id)
    except asyncpg.UniqueViolationError:
        raise EmailTaken from None
    await deps.invalidation.publish(ctx, "user", user_id)
    if proven:
        await _provision(deps, ctx, after)
    return after


async def _locked(tx: Db, ctx: Context, user_id: str) -> User:
    if not await accounts.lock(tx, app_id=ctx.app_id, id=user_id):
        raise UserNotFound
    return existing(await users.get(tx, app_id=ctx.app_id, id=user_id))


async def _provision(deps: Deps, ctx: Context, user: User) -> None:
    """Gives a user what a verified address leads to."""
    await user_provisioning.provision_new_user(
        deps,
        ctx,
        user.id,
        email=user.email,
        verified=True,
        name=user.name,
        personal_team=False,
    )


def existing(user: User | None) -> User:
    """Returns the user. Raises UserNotFound for None."""
    if user is None:
        raise UserNotFound
    return user
