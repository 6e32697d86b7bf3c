"""The audit log."""

from __future__ import annotations

from datetime import datetime

from common.events.base import Event


class AuditPruned(Event, type="audit_pruned"):
    """Events before a time were removed, because of the application's retention. The hash chain
    stays complete."""

    count: int
    before: datetime
