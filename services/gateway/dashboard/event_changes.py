"""The changes that an audit event records, field by field."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

SHOWN: Final = 50
"""Changes, and other facts, on one page."""
MAX_TEXT: Final = 500
"""Characters of a value."""


@dataclass(frozen=True)
class Change:
    """A field before and after. None: the event does not say."""

    field: str
    before: str | None = None
    after: str | None = None


def changes_of(data: dict[str, Any]) -> list[Change]:
    """Returns the changes in the data of an event. Events that name fields without values have changes
    without `before` and `after`."""
    changes = []
    if "before" in data and "role" in data:
        changes.append(Change("role", _text(data["before"]), _text(data["role"])))
    changes += [Change("permissions", after=_text(name)) for name in _list(data, "added")]
    changes += [Change("permissions", before=_text(name)) for name in _list(data, "removed")]
    detailed = {change.field for change in changes}
    changes += [
        Change(_text(name)) for name in _list(data, "fields") if _text(name) not in detailed
    ]
    return changes[:SHOWN]


def facts_of(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the other fields of an event, as name and value."""
    shown = {"fields", "added", "removed"}
    if "before" in data and "role" in data:
        shown |= {"before", "role"}
    facts = ((name[:MAX_TEXT], _text(value)) for name, value in data.items() if name not in shown)
    return [(name, text) for name, text in facts if text][:SHOWN]


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value[:SHOWN] if isinstance(value, list) else []


def _text(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)[:MAX_TEXT]
    return json.dumps(value, ensure_ascii=False)[:MAX_TEXT]
