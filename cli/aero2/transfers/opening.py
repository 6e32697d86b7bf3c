"""Opens an application that is closed, once every service can recognize its hashes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.running_services import running_services
from aero2.transfers import gate

SHOWN: Final = timedelta(minutes=20)
"""For so long, a connection shows when its service started: pools replace them after 24 minutes or more."""


async def open_application(db: Connection, slug: str, *, restarted: bool) -> None:
    """Opens the application. Raises CommandError if it is not closed, or if a service runs that does not know
    its keys: that service would sign users out. `restarted` says that there is none."""
    row = await db.fetchrow(
        """
        SELECT id::text, closed, closed_at, now() - closed_at AS since FROM applications WHERE slug = $1
        """,
        slug,
    )
    if row is None:
        raise CommandError(f"There is no application {slug}.")
    if row["closed"] is None:
        raise CommandError(f"{slug} is not closed.")
    if row["closed"] == "imported" and not restarted:
        if older := await running_services(db, before=row["closed_at"]):
            raise CommandError(
                f"These run since before the import, and do not know its keys: {', '.join(older)}. Restart "
                "them, one after the other."
            )
        if row["since"] > SHOWN and await running_services(db):
            raise CommandError(
                "The import is too long ago to see whether every service was restarted since. If they "
                "were, say so with --restarted."
            )
    await gate.open_again(db, row["id"])
