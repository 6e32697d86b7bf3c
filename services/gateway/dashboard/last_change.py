"""The last change of the settings of a page, from the audit log."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from common.contracts.audit_log import AuditRecord, ListAudit
from common.problems import Problem
from gateway.dashboard.visit import Visit

LOOKED_THROUGH: Final = 20
"""The latest events of one type among which that of the page is."""


async def last_change(
    visit: Visit, event_type: str, fields: Container[str] | None = None
) -> AuditRecord | None:
    """Returns the latest event of this type, or of one of these `fields`. None if there is none, or the
    developer may not read the log: the page is of use without it."""
    if not visit.may("audit:read"):
        return None
    try:
        call = ListAudit(event_type=event_type, limit=LOOKED_THROUGH if fields else 1)
        events = (await visit.call(call)).audit_logs
    except Problem:
        return None
    return next((event for event in events if _concerns(event, fields)), None)


def _concerns(event: AuditRecord, fields: Container[str] | None) -> bool:
    changed = event.event_data.get("fields")
    return fields is None or any(name in fields for name in changed or ())
