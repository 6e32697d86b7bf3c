"""Writes docs/events.md: every audit event, from the classes that the services record."""

from __future__ import annotations

import inspect
import types
from typing import Any, Literal, Union, get_args, get_origin

from common.events import NOUNS
from common.events.base import EVENTS, AuditEvent, Event

HEAD = """\
# Audit events

Made by `make events` from `libs/common/events`; a test keeps it so.

Every event is one row of the log (`GET /api/audit`), one line of a message on the stream `AUDIT` (subject `audit.<service>.<application>.batch`) and one line of an export. Around what is listed here each carries:

{around}

A field may be added to an event within its version; anything else makes a new version. *Activity* goes to the stream only (subject `audit.<service>.<application>.activity`): it costs the request nothing and is not in the log. A message has up to 50 records or 500 activities of one application, one a line. Each line has its own `id` and `event_type`. A reader that must not count an event twice compares the ids.
"""


def catalogue() -> str:
    """Returns the whole document."""
    parts = [HEAD.format(around=_table(AuditEvent))]
    for title, events in _sections():
        parts.append(f"## {title}\n")
        parts += [_event(event) for event in events]
    return "\n".join(parts)


def _sections() -> list[tuple[str, list[type[Event]]]]:
    """A heading for each noun: what its module says of itself."""
    return [
        (
            inspect.cleandoc(noun.__doc__ or "").rstrip("."),
            [event for event in EVENTS.values() if event.__module__ == noun.__name__],
        )
        for noun in NOUNS
    ]


def _event(event: type[Event]) -> str:
    kind = " · activity" if event.activity else ""
    says = inspect.cleandoc(event.__doc__ or "").replace("\n", " ")
    return f"### `{event.type}`\n\nVersion {event.version}{kind}. {says}\n\n{_table(event)}"


def _table(model: type[Any]) -> str:
    if not model.model_fields:
        return "No fields.\n"
    rows = ["| field | type |", "|---|---|"]
    for name, field in model.model_fields.items():
        optional = "" if field.is_required() else ", optional"
        rows.append(f"| `{name}` | {_type(field.annotation)}{optional} |")
    return "\n".join(rows) + "\n"


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args)
    if origin is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin is list:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return "object"
    if annotation is type(None):
        return "null"
    known = {str: "text", int: "number", float: "number", bool: "true or false"}
    return known.get(annotation) or {"datetime": "time"}.get(
        getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation))
    )
