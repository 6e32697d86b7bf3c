"""Reads the messages of the audit stream: one event a line, of one application.

The subject says the service, the application, and records or activity. The line says what the event is.
So messages with a single event under `audit.<service>.<app_id>.<event_type>`, as earlier versions sent
them, are read in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from common.events.base import EVENTS
from common.ids import is_id

TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """One event of a message. `number` counts all lines of the message, from 1."""

    number: int
    id: str
    type: str
    text: bytes

    @property
    def is_activity(self) -> bool:
        """Whether the event is on the stream only, and not in the log."""
        return self.type in EVENTS and EVENTS[self.type].activity


def line_count(data: bytes) -> int:
    """Returns the number of lines of a message, with those that cannot be read."""
    return data.count(b"\n") + 1


def read_lines(data: bytes, app_id: str, *, skip: int = 0) -> Iterator[StreamedEvent]:
    """Yields the events of a message after the first `skip` lines. A line that is no event of the
    application is left out: it must not hold up the others."""
    for number, text in enumerate(data.split(b"\n"), 1):
        if number > skip and (event := _read(number, text, app_id)) is not None:
            yield event


def _read(number: int, text: bytes, app_id: str) -> StreamedEvent | None:
    """Returns the event, or None. A carriage return would end a line of server-sent events."""
    try:
        event = orjson.loads(text)
        id, event_type = event["id"], event["event_type"]
        valid = event["app_id"] == app_id and is_id(id) and TYPE.fullmatch(event_type)
    except (ValueError, KeyError, TypeError):
        return None
    return StreamedEvent(number, id, event_type, text) if valid and b"\r" not in text else None
