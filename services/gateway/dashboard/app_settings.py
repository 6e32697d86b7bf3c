"""Methods and security: every setting of an application, with one form for each section."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.app_settings import AppSettings
from common.contracts.audit_log import AuditRecord
from common.contracts.settings_change import GetSettings, SettingsChange, UpdateSettings
from common.contracts.versioned import ChangedMeanwhile
from common.problems import Forbidden, NotFound, Problem
from common.time_zones import places
from gateway.dashboard import form_guard, setting_fields, setting_sections
from gateway.dashboard.api_call import curl
from gateway.dashboard.last_change import last_change
from gateway.dashboard.page_routes import dashboard_form, dashboard_page
from gateway.dashboard.setting_errors import in_words, setting_errors
from gateway.dashboard.setting_fields import BEFORE, from_fields, stored_values, to_fields, version
from gateway.dashboard.setting_groups import SECTIONS
from gateway.dashboard.setting_sections import Section, Setting
from gateway.dashboard.setting_undo import read_settings_undo, settings_undo_text
from gateway.dashboard.visit import APPLICATIONS, Visit
from gateway.http.response import GatewayResponse, redirect
from gateway.pages.fields import at
from gateway.pages.form_errors import Errors
from gateway.pages.languages import Language
from gateway.routing import RouteSet

HERE: Final = f"{APPLICATIONS}/{{slug}}/settings"
BY_ID: Final = {section.id: section for section in SECTIONS}
CHANGED: Final = frozenset(f"settings.{name}" for name in AppSettings.model_fields)
"""The names of settings in events."""


@dataclass(frozen=True)
class TypedSection:
    """A section as it was sent: the values that differ from the stored ones, and those of them that
    somebody else has changed since the page was shown."""

    section: Section
    changes: dict[str, Any]
    conflicts: list[Setting]


async def show(visit: Visit) -> GatewayResponse:
    """GET …/settings"""
    settings, changed = await asyncio.gather(
        visit.call(GetSettings()),
        last_change(visit, "application_updated", CHANGED),
    )
    return _show(visit, settings, changed=changed)


def _show(
    visit: Visit,
    settings: AppSettings,
    changes: Mapping[str, Any] | None = None,
    errors: Errors | None = None,
    *,
    changed: AuditRecord | None = None,
) -> GatewayResponse:
    """Shows all sections, with the stored values. The settings in `changes` keep what was typed."""
    stored = stored_values(settings)
    saved = BY_ID.get(visit.fields.text("saved")) if changes is None else None
    way_back = read_settings_undo(visit, saved) if saved else None
    return visit.show(
        "settings.html",
        errors=errors,
        changed=changed,
        values=field_values(visit, SECTIONS, stored, changes or {}),
        sections=SECTIONS,
        saved=saved.id if saved else "",
        undo=visit.fields.text("undo") if way_back and way_back.is_current(stored) else None,
        before={name: version(value) for name, value in stored.items()},
        begins=BEFORE,
        limits=limits_of,
        fields=setting_fields,
        lists=setting_sections,
        zone_names=places(),
        has_captcha=settings.captcha is not None,
        writes=visit.may("settings:write"),
        address=f"{visit.home}/settings",
        api=curl(visit.managed.tenant, "PUT", "/settings", {"signup_mode": "invite_only"}),
    )


def field_values(
    visit: Visit, sections: Iterable[Section], stored: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, str]:
    """Returns the fields of the sections: as they were sent for a setting in `changes`, else as stored."""
    values: dict[str, str] = {}
    for setting in (each for section in sections for each in section.settings):
        name = setting.name
        if name in changes:
            values |= {k: v for k, v in visit.fields.items() if f"{k}.".startswith(f"{name}.")}
        else:
            values |= to_fields(setting, stored[name])
    return values


def limits_of(setting: Setting) -> dict[str, int]:
    """Returns the bounds of a number, as the contract has them."""
    bounds: dict[str, int] = {}
    for rule in AppSettings.model_fields[setting.name].metadata:
        for name, limit in (("ge", "min"), ("le", "max")):
            if hasattr(rule, name):
                bounds[limit] = getattr(rule, name)
    return bounds


async def save(visit: Visit) -> GatewayResponse:
    """POST …/settings/{section}: sends only what differs. If somebody else has changed one of these
    settings meanwhile, nothing is saved, and the page shows both values."""
    section = _section(visit)
    return await form_guard.compared_again(lambda: _save(visit, section))


def _section(visit: Visit) -> Section:
    """Returns the section of the path. Raises Forbidden for a reader, NotFound."""
    if not visit.may("settings:write"):
        raise Forbidden
    section = BY_ID.get(visit.parameters["section"])
    if section is None:
        raise NotFound
    return section


async def _save(visit: Visit, section: Section) -> GatewayResponse:
    """Saves a section. Raises ChangedMeanwhile if somebody else saved after the comparison."""
    language = visit.open().language
    stored = await visit.call(GetSettings())
    typed = read_section(section, visit.fields, stored)
    if typed.conflicts:
        return _show(visit, stored, typed.changes, conflicts_of(language, typed.conflicts, stored))
    return await _store(visit, section, stored, typed.changes)


async def _store(
    visit: Visit, section: Section, before: AppSettings, changes: dict[str, Any]
) -> GatewayResponse:
    """Stores the changes, and leads to the page that offers to undo them. Raises ChangedMeanwhile if the
    settings are no longer those `before`."""
    after = before
    try:
        if changes:
            change = SettingsChange.model_validate(changes)
            after = await visit.call(UpdateSettings(changes=change), version=before.version)
    except ChangedMeanwhile:
        raise
    except (Problem, ValidationError) as error:
        errors = setting_errors(visit.open().language, error, section.settings, changes)
        return _show(visit, before, changes, errors)
    undo = settings_undo_text(
        visit, section, changes, before=stored_values(before), after=stored_values(after)
    )
    page = at(f"{visit.home}/settings", saved=section.id, undo=undo)
    return redirect(f"{page}#{section.id}")


async def undo(visit: Visit) -> GatewayResponse:
    """POST …/settings/{section}/undo: stores what a save replaced. If somebody else has changed one of
    these settings since, nothing is stored, and the page shows their value."""
    section = _section(visit)
    return await form_guard.compared_again(lambda: _undo(visit, section))


async def _undo(visit: Visit, section: Section) -> GatewayResponse:
    """Undoes a save. Raises ChangedMeanwhile if somebody else saved after the comparison, NotFound if
    this session did not make the save."""
    way_back = read_settings_undo(visit, section)
    if way_back is None:
        raise NotFound
    settings = await visit.call(GetSettings())
    stored, language = stored_values(settings), visit.open().language
    conflicts = way_back.conflicts(stored)
    if conflicts:
        changed = [setting for setting in section.settings if setting.name in conflicts]
        return _show(visit, settings, {}, conflicts_of(language, changed, settings))
    return await _store(visit, section, settings, way_back.values)


def read_section(
    section: Section, fields: Mapping[str, str], settings: AppSettings
) -> TypedSection:
    """Returns what was changed. A setting counts only if the form had it."""
    stored = stored_values(settings)
    changes: dict[str, Any] = {}
    conflicts = []
    for setting in section.settings:
        before = fields.get(f"{BEFORE}{setting.name}")
        now = stored[setting.name]
        mine = from_fields(setting, fields, now)
        if before is None or mine == now or version(mine) == before:
            continue
        changes[setting.name] = mine
        if version(now) != before:
            conflicts.append(setting)
    return TypedSection(section, changes, conflicts)


def conflicts_of(language: Language, changed: Iterable[Setting], settings: AppSettings) -> Errors:
    """Returns the error of a form if somebody else has changed some settings meanwhile."""
    stored = stored_values(settings)
    theirs = {one.name: in_words(language, one, stored[one.name]) for one in changed}
    return form_guard.changed_meanwhile(language, theirs)


routes = RouteSet(
    (
        dashboard_page(HERE, show),
        dashboard_form(f"{HERE}/{{section}}", save, page_path=HERE),
        dashboard_form(f"{HERE}/{{section}}/undo", undo, page_path=HERE),
    )
)
