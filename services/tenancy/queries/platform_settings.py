"""Reads and writes platform_settings, one row in the Dashboard, and counts what it limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from common.db import Db, maybe, one, run, value


@dataclass(frozen=True)
class PlatformSettingsRow:
    """The settings of the platform. `new_applications` has only those that differ from the defaults."""

    applications_per_team: int | None = None
    new_applications: dict[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None


COLUMNS: Final = "applications_per_team, new_applications, updated_at"


async def get(db: Db, *, app_id: str) -> PlatformSettingsRow:
    """Returns the settings; the defaults if nobody has changed any."""
    row = await maybe(
        db,
        PlatformSettingsRow,
        f"SELECT {COLUMNS} FROM platform_settings WHERE app_id = $1",
        app_id,
    )
    return row or PlatformSettingsRow()


async def lock(db: Db, *, app_id: str) -> PlatformSettingsRow:
    """Returns the settings, locked until the transaction ends."""
    await run(
        db,
        "INSERT INTO platform_settings (app_id) VALUES ($1) ON CONFLICT (app_id) DO NOTHING",
        app_id,
    )
    return await one(
        db,
        PlatformSettingsRow,
        f"SELECT {COLUMNS} FROM platform_settings WHERE app_id = $1 FOR UPDATE",
        app_id,
    )


async def update(db: Db, *, app_id: str, row: PlatformSettingsRow) -> PlatformSettingsRow:
    """Stores the settings as they are in `row`."""
    return await one(
        db,
        PlatformSettingsRow,
        f"""
        UPDATE platform_settings
        SET applications_per_team = $2, new_applications = $3, updated_at = now()
        WHERE app_id = $1 RETURNING {COLUMNS}
        """,
        app_id,
        row.applications_per_team,
        row.new_applications,
    )


async def count_applications(db: Db, *, owner_org_id: str) -> int:
    """Returns the number of applications that a team owns."""
    count = await value(
        db,
        """
        -- any-tenant: the applications that a team owns
        SELECT count(*) FROM applications WHERE owner_org_id = $1 AND state <> 'deleting'
        """,
        owner_org_id,
    )
    return int(count)
