"""Handles the settings of the platform, for operators in the Dashboard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common import audit, conditions
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.platform_settings import (
    ApplicationLimitReached,
    GetPlatformSettings,
    PlatformSettings,
    PlatformSettingsChange,
    UpdatePlatformSettings,
)
from common.db import Db
from common.events.platform import PlatformSettingsUpdated
from common.ids import DASHBOARD
from common.operator_rules import OPERATES
from tenancy import app_settings, application_access
from tenancy.deps import Deps
from tenancy.queries import organizations, platform_settings
from tenancy.queries.platform_settings import PlatformSettingsRow

DEFAULTS = AppSettings().model_dump(mode="json")


async def get(deps: Deps, ctx: Context, _: GetPlatformSettings) -> PlatformSettings:
    """Returns all settings. Raises Forbidden outside the Dashboard."""
    application_access.check_dashboard(ctx)
    async with deps.db.reader(ctx) as db:
        row = await platform_settings.get(db, app_id=ctx.app_id)
    return _to_settings(row)


async def update(deps: Deps, ctx: Context, request: UpdatePlatformSettings) -> PlatformSettings:
    """Changes the settings that the request contains. Raises Forbidden outside the Dashboard, Invalid."""
    application_access.check_dashboard(ctx)
    async with deps.db.transaction(ctx) as tx:
        row = await platform_settings.lock(tx, app_id=ctx.app_id)
        conditions.check(_to_settings(row))
        changed, fields = _changed(row, request.changes)
        if fields:
            row = await platform_settings.update(tx, app_id=ctx.app_id, row=changed)
            await audit.record(tx, ctx, PlatformSettingsUpdated(fields=fields))
    return _to_settings(row)


async def check_limit(tx: Db, ctx: Context, org_id: str | None) -> None:
    """Raises ApplicationLimitReached if the team may own no further application. Operators and the
    system may exceed the limit. The team is locked, so that two calls at once do not."""
    if org_id is None or ctx.caller.may(OPERATES):
        return
    limit = (await platform_settings.get(tx, app_id=DASHBOARD)).applications_per_team
    if limit is None:
        return
    await organizations.lock(tx, app_id=DASHBOARD, id=org_id)
    if await platform_settings.count_applications(tx, owner_org_id=org_id) >= limit:
        raise ApplicationLimitReached(limit=limit)


def _changed(
    row: PlatformSettingsRow, changes: PlatformSettingsChange
) -> tuple[PlatformSettingsRow, list[str]]:
    """Returns the row with the changes, and the names of the settings that differ. Settings like the
    defaults are not stored, so that a better default reaches new applications."""
    settings, names = app_settings.merged(row.new_applications, changes.new_applications)
    chosen: dict[str, Any] = {
        name: value for name, value in settings.items() if DEFAULTS.get(name) != value
    }
    changed = replace(row, new_applications=chosen)
    fields = [f"new_applications.{name}" for name in names]
    limit = changes.applications_per_team
    if "applications_per_team" in changes.model_fields_set and limit != row.applications_per_team:
        changed = replace(changed, applications_per_team=limit)
        fields.insert(0, "applications_per_team")
    return changed, fields


def _to_settings(row: PlatformSettingsRow) -> PlatformSettings:
    return PlatformSettings(
        applications_per_team=row.applications_per_team,
        new_applications=AppSettings.model_validate(row.new_applications),
        updated_at=row.updated_at,
    )
