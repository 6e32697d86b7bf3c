"""The last change of the settings of a page, or of one thing, from the audit log."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final, Protocol

from common.contracts.audit_log import AuditRecord, ListAudit
from common.problems import Problem
from gateway.dashboard.visit import Visit

LOOKED_THROUGH: Final = 20
"""The latest events of one type among which that of the page is."""


SAME_CHANGE: Final = timedelta(minutes=1)
"""Between the time of a row and that of its event. Their clocks differ."""


class ChangedThing(Protocol):
    """A thing that knows when it was created and changed."""

    @property
    def created_at(self) -> datetime: ...

    @property
    def updated_at(self) -> datetime: ...


async def last_change(
    visit: Visit, event_type: str, fields: Container[str] | None = None
) -> AuditRecord | None:
    """Returns the latest event of this type, or of one of these `fields`. None if there is none, or the
    developer may not read the log: the page is of use without it."""
    events = await latest_events(visit, event_type, LOOKED_THROUGH if fields else 1)
    return next((event for event in events if _concerns(event, fields)), None)


async def latest_events(
    visit: Visit, event_type: str, limit: int = LOOKED_THROUGH
) -> list[AuditRecord]:
    """Returns the latest events of this type; none if the developer may not read the log, or if the log
    does not answer."""
    if not visit.may("audit:read"):
        return []
    try:
        listed = await visit.call(ListAudit(event_type=event_type, limit=limit))
    except Problem:
        return []
    return listed.audit_logs


def change_of(thing: ChangedThing, events: list[AuditRecord], **subject: str) -> AuditRecord | None:
    """Returns the event of the thing's last change. `subject` names the thing in the data of events. None
    if the event is not among `events`: an older one would name the wrong person."""
    if thing.updated_at == thing.created_at:
        return None
    for event in events:
        if subject.items() <= event.event_data.items():
            is_last = abs(event.created_at - thing.updated_at) < SAME_CHANGE
            return event if is_last else None
    return None


def _concerns(event: AuditRecord, fields: Container[str] | None) -> bool:
    changed = event.event_data.get("fields")
    return fields is None or any(name in fields for name in changed or ())
