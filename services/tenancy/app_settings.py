"""Handles an application's settings, in the application's own context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common import audit, captcha_secret, conditions
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.applications import ApplicationNotFound
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.events.applications import ApplicationUpdated
from common.field_errors import FieldError, field_error
from common.problems import Invalid
from tenancy import placeholders
from tenancy.deps import Deps
from tenancy.queries import applications


async def get(deps: Deps, ctx: Context, _: GetSettings) -> AppSettings:
    """Returns all settings, without the captcha secret. Raises ApplicationNotFound."""
    async with deps.registry.reader(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None:
        raise ApplicationNotFound
    return _shown(row.settings)


def _shown(settings: dict[str, Any]) -> AppSettings:
    return captcha_secret.hidden(AppSettings.model_validate(settings))


async def update(deps: Deps, ctx: Context, request: UpdateSettings) -> AppSettings:
    """Changes the settings that the request contains. Raises ApplicationNotFound, Invalid."""
    async with deps.registry.transaction(ctx) as tx:
        row = await applications.by_id_for_update(tx, id=ctx.app_id)
        if row is None:
            raise ApplicationNotFound
        conditions.check(_shown(row.settings))
        settings, changed = merged(row.settings, request.changes)
        async with placeholders.at_home(deps, tx, ctx) as home:
            settings = await captcha_secret.sealed(
                deps.sealer, home, ctx.app_id, stored=row.settings, settings=settings
            )
        if changed:
            await applications.update(tx, replace(row, settings=settings))
            fields = [f"settings.{name}" for name in changed]
            await audit.record(tx, ctx, ApplicationUpdated(fields=fields))
    if changed:
        await placeholders.try_complete(deps, ctx)
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return _shown(settings)


def merged(stored: dict[str, Any], change: SettingsChange) -> tuple[dict[str, Any], list[str]]:
    """Returns the settings to store, and the names of those that differ.

    Only settings that somebody chose are stored, so a better default reaches everybody else.
    Raises Invalid with each setting that contradicts another.
    """
    changes = change.model_dump(mode="json", exclude_unset=True)
    before = AppSettings.model_validate(stored).model_dump(mode="json")
    settings = {**stored, **changes}
    after = AppSettings.model_validate(settings)
    flaws = _contradictions(after, set(changes))
    if flaws:
        raise Invalid(errors=flaws)
    dumped = after.model_dump(mode="json")
    return settings, [name for name in changes if before[name] != dumped[name]]


def _contradictions(settings: AppSettings, changed: set[str]) -> list[FieldError]:
    """Returns the field errors. A contradiction that was stored before prevents no other change."""
    flaws = []
    for kind in ("", "_remembered"):
        absolute, idle = f"session_ttl{kind}", f"session_idle_ttl{kind}"
        limit = getattr(settings, idle)
        if {absolute, idle} & changed and limit and limit > getattr(settings, absolute):
            flaws.append(field_error(idle, "idle_time_too_long", setting=absolute))
    restricted = {"signup_mode", "allowed_email_domains"} & changed
    if restricted and settings.signup_mode == "restricted" and not settings.allowed_email_domains:
        flaws.append(field_error("allowed_email_domains", "allowed_domain_required"))
    both = set(settings.allowed_email_domains) & set(settings.blocked_email_domains)
    if both and {"allowed_email_domains", "blocked_email_domains"} & changed:
        flaws.append(field_error("blocked_email_domains", "domain_allowed_and_blocked"))
    return flaws
