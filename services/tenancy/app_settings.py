"""An application's settings, in the application's own context."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common import audit, captcha_secret
from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.applications import ApplicationNotFound
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.events.applications import ApplicationUpdated
from common.field_errors import FieldError, field_error
from common.problems import Invalid
from tenancy.deps import Deps
from tenancy.queries import applications


async def get(deps: Deps, ctx: Context, _: GetSettings) -> AppSettings:
    async with deps.db.reading(ctx) as db:
        row = await applications.by_id(db, id=ctx.app_id)
    if row is None:
        raise ApplicationNotFound
    return captcha_secret.hidden(AppSettings.model_validate(row.settings))


async def update(deps: Deps, ctx: Context, request: UpdateSettings) -> AppSettings:
    async with deps.db.transaction(ctx) as tx:
        row = await applications.locked_by_id(tx, id=ctx.app_id)
        if row is None:
            raise ApplicationNotFound
        settings, changed = merged(row.settings, request.changes)
        settings = await captcha_secret.sealed(deps.sealer, tx, ctx.app_id, row.settings, settings)
        if changed:
            await applications.update(tx, replace(row, settings=settings))
            fields = [f"settings.{name}" for name in changed]
            await audit.record(tx, ctx, ApplicationUpdated(fields=fields))
    await deps.invalidation.publish(ctx, "application", ctx.app_id)
    return captcha_secret.hidden(AppSettings.model_validate(settings))


def merged(stored: dict[str, Any], change: SettingsChange) -> tuple[dict[str, Any], list[str]]:
    """What is stored from now on, and the names of what differs. Only what somebody chose is
    stored, so that a better default reaches whoever never chose. Raises Invalid naming each
    setting that does not go together with another."""
    given = change.model_dump(mode="json", exclude_unset=True)
    before = AppSettings.model_validate(stored).model_dump(mode="json")
    settings = {**stored, **given}
    after = AppSettings.model_validate(settings)
    flaws = _disagreements(after, set(given))
    if flaws:
        raise Invalid(errors=flaws)
    dumped = after.model_dump(mode="json")
    return settings, [name for name in given if before[name] != dumped[name]]


def _disagreements(settings: AppSettings, changed: set[str]) -> list[FieldError]:
    """Only where one of the two was just given: what stood before must not hinder other changes."""
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
