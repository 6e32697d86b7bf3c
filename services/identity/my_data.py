"""The data that is stored about a user, for the user themselves (GDPR article 20)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from common import clock
from common.context import Context
from common.contracts.audit_log import ListAudit
from common.contracts.me import Export, ExportMe
from common.contracts.users import UserNotFound
from identity import user_factors
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.passkey_entries import entry
from identity.queries import devices, identity_links, sessions, users
from identity.queries import passkeys as passkey_rows

MOST_EVENTS: Final = 1000
"""In an export: the answer has to fit into a message."""


async def export(deps: Deps, ctx: Context, request: ExportMe) -> Export:
    """Returns everything that is stored about the calling user, except the application's private
    metadata and every secret."""
    user_id = the_user(ctx)
    async with deps.db.reader(ctx) as db:
        user = await users.get(db, app_id=ctx.app_id, id=user_id)
        if user is None:
            raise UserNotFound
        listed = await sessions.list_of_user(
            db, app_id=ctx.app_id, user_id=user_id, current=ctx.caller.session_id, limit=1000
        )
        known_devices = await devices.list_devices(db, app_id=ctx.app_id, user_id=user_id)
        second_factors = await user_factors.of_user(ctx, db, user_id)
        passkeys = await passkey_rows.of_user(db, app_id=ctx.app_id, user_id=user_id)
        identities = await identity_links.list_of_user(db, app_id=ctx.app_id, user_id=user_id)
    events = await _events(deps, ctx, user_id)
    hidden = user.model_copy(update={"private_metadata": {}})  # the application's own notes
    return Export(
        user=hidden,
        sessions=listed,
        devices=[asdict(device) for device in known_devices],
        second_factors=second_factors,
        passkeys=[entry(passkey) for passkey in passkeys],
        identities=identities,
        events=events,
        exported_at=clock.utc_now(),
    )


async def _events(deps: Deps, ctx: Context, user_id: str) -> list[dict[str, Any]]:
    """Returns the latest audit records that are about the user or were caused by them."""
    fields = {"event_type", "created_at", "ip_address", "user_agent"}
    explained = {"event_type", "created_at", "event_data", "actor_kind", "actor_id"}
    events: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(events) < MOST_EVENTS:
        request = ListAudit(user_id=user_id, limit=100, cursor=cursor)
        page = await deps.bus.call(ctx.as_system(), request)
        for record in page.audit_logs:
            acts = record.event_type.startswith("impersonation_")
            events.append(record.model_dump(mode="json", include=explained if acts else fields))
        cursor = page.next
        if cursor is None:
            break
    return events
