"""The settings of the platform: how many applications a team may have, and what new ones start with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.platform_settings import (
    MOST_PER_TEAM,
    GetPlatformSettings,
    PlatformSettings,
    PlatformSettingsChange,
    UpdatePlatformSettings,
)
from common.contracts.settings_change import SettingsChange
from common.contracts.versioned import ChangedMeanwhile
from common.message_ids import N_
from common.problems import NotFound, Problem
from common.time_zones import places
from gateway.dashboard import form_guard, setting_fields, setting_sections
from gateway.dashboard.api_call import curl_in_dashboard
from gateway.dashboard.app_settings import (
    conflicts_of,
    field_values,
    limits_of,
    read_section,
)
from gateway.dashboard.platform_pages import platform_form, platform_page
from gateway.dashboard.setting_errors import setting_errors
from gateway.dashboard.setting_fields import BEFORE, stored_values, version
from gateway.dashboard.setting_groups import SECTIONS
from gateway.dashboard.setting_sections import Section
from gateway.dashboard.visit import APPLICATIONS, PLATFORM, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.routing import RouteSet

HERE: Final = "/settings"
TEAMS: Final = "teams"
"""The section with the limit of teams."""
LIMIT: Final = "applications_per_team"
OF_ONE_APPLICATION: Final = ("captcha",)
"""Settings that new applications cannot start with."""
FOR_NEW: Final = tuple(
    replace(
        section,
        settings=tuple(one for one in section.settings if one.name not in OF_ONE_APPLICATION),
    )
    for section in SECTIONS
)
BY_ID: Final = {section.id: section for section in FOR_NEW}
NOT_A_LIMIT: Final = N_("Enter a whole number from 1 to 10,000, or nothing for no limit.")


async def show(visit: Visit) -> GatewayResponse:
    """GET /dashboard/platform/settings"""
    return _show(visit, await visit.call(GetPlatformSettings()))


def _show(
    visit: Visit,
    settings: PlatformSettings,
    changes: Mapping[str, Any] | None = None,
    errors: Errors | None = None,
) -> GatewayResponse:
    stored = stored_values(settings.new_applications)
    values = field_values(visit, FOR_NEW, stored, changes or {})
    limit = settings.applications_per_team
    values[LIMIT] = visit.fields.text(LIMIT) if LIMIT in (changes or {}) else str(limit or "")
    before = {name: version(value) for name, value in stored.items()}
    return visit.show(
        "platform_settings.html",
        errors=errors,
        values=values,
        sections=FOR_NEW,
        teams=TEAMS,
        saved=visit.fields.text("saved") if changes is None else "",
        undo=None,
        before={**before, LIMIT: version(limit)},
        begins=BEFORE,
        most=MOST_PER_TEAM,
        limits=limits_of,
        fields=setting_fields,
        lists=setting_sections,
        zone_names=places(),
        writes=True,
        dashboard=visit.request.app.settings,
        dashboard_settings=f"{APPLICATIONS}/{visit.request.app.slug}/settings",
        address=f"{visit.home}{HERE}",
        api=curl_in_dashboard(visit.request.app, "PATCH", "/platform/settings", {LIMIT: 10}),
    )


async def save(visit: Visit) -> GatewayResponse:
    """POST /dashboard/platform/settings/{section}: sends only what differs, like the settings of an
    application."""
    name = visit.parameters["section"]
    if name != TEAMS and name not in BY_ID:
        raise NotFound
    return await form_guard.compared_again(lambda: _save(visit, name))


async def _save(visit: Visit, name: str) -> GatewayResponse:
    """Saves a section. Raises ChangedMeanwhile if somebody else saved after the comparison."""
    settings = await visit.call(GetPlatformSettings())
    if name == TEAMS:
        return await _save_limit(visit, settings)
    return await _save_section(visit, settings, BY_ID[name])


async def _save_section(
    visit: Visit, settings: PlatformSettings, section: Section
) -> GatewayResponse:
    language = visit.open().language
    stored = settings.new_applications
    typed = read_section(section, visit.fields, stored)
    if typed.conflicts:
        errors = conflicts_of(language, typed.conflicts, stored)
        return _show(visit, settings, typed.changes, errors)
    try:
        if typed.changes:
            change = SettingsChange.model_validate(typed.changes)
            await _update(visit, settings, PlatformSettingsChange(new_applications=change))
    except ChangedMeanwhile:
        raise
    except (Problem, ValidationError) as error:
        errors = setting_errors(language, error, section.settings, typed.changes)
        return _show(visit, settings, typed.changes, errors)
    return _saved(section.id)


async def _save_limit(visit: Visit, settings: PlatformSettings) -> GatewayResponse:
    language = visit.open().language
    text, now = visit.fields.text(LIMIT), settings.applications_per_team
    before = visit.fields.get(f"{BEFORE}{LIMIT}")
    try:
        change = PlatformSettingsChange.model_validate({LIMIT: text or None})
    except ValidationError:
        return _show(
            visit, settings, {LIMIT: text}, Errors({LIMIT: language.translate(NOT_A_LIMIT)})
        )
    mine = change.applications_per_team
    if mine != now and version(mine) != before:
        if before is not None and version(now) != before:
            errors = form_guard.changed_meanwhile(language, {LIMIT: str(now or "")})
            return _show(visit, settings, {LIMIT: text}, errors)
        await _update(visit, settings, change)
    return _saved(TEAMS)


async def _update(visit: Visit, settings: PlatformSettings, change: PlatformSettingsChange) -> None:
    await visit.call(UpdatePlatformSettings(changes=change), version=settings.version)


def _saved(section: str) -> GatewayResponse:
    return redirect(at(f"{PLATFORM}{HERE}", saved=section) + f"#{section}")


routes = RouteSet(
    (
        platform_page(HERE, show),
        platform_form(f"{HERE}/{{section}}", save, page_path=HERE),
    )
)
