"""The way back from a change of settings: what they were, and what replaced them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.dashboard.setting_fields import version
from gateway.dashboard.setting_sections import Section
from gateway.dashboard.undo import LONGEST, undo_text, undo_values
from gateway.dashboard.visit import Visit

WITHOUT_UNDO: Final = frozenset({"captcha"})
"""Settings with a secret. The one that was replaced is gone."""


@dataclass(frozen=True)
class SettingsUndo:
    """The settings of one save: their values before it, and the versions of those that it stored."""

    values: dict[str, Any]
    versions: dict[str, str]

    def is_current(self, stored: Mapping[str, Any]) -> bool:
        """Returns whether nobody has changed these settings since."""
        return not self.conflicts(stored)

    def conflicts(self, stored: Mapping[str, Any]) -> list[str]:
        """Returns the settings that somebody has changed since."""
        return [name for name, known in self.versions.items() if version(stored[name]) != known]


def settings_undo_text(
    visit: Visit,
    section: Section,
    names: Iterable[str],
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> str | None:
    """Returns the text for the address of the page that offers to undo a save of these settings. None if
    it would be too long, or if there is no way back."""
    changed = [name for name in names if before[name] != after[name]]
    if not changed or not WITHOUT_UNDO.isdisjoint(changed):
        return None
    values = {name: [before[name], version(after[name])] for name in changed}
    text = undo_text(visit, section=section.id, settings=orjson.dumps(values).decode())
    return text if len(text) <= LONGEST else None


def read_settings_undo(visit: Visit, section: Section) -> SettingsUndo | None:
    """Returns what the address or the form says about a save of this section; None if this session has
    not made it."""
    values = undo_values(visit)
    if values is None or values.get("section") != section.id:
        return None
    settings = orjson.loads(values["settings"])
    return SettingsUndo(
        {name: value for name, (value, _) in settings.items()},
        {name: known for name, (_, known) in settings.items()},
    )
