"""The log itself."""

from __future__ import annotations

from datetime import datetime

from common.events.base import Event


class AuditPruned(Event, type="audit_pruned"):
    """Events before a moment went, as the application's retention wants; the chain stays."""

    count: int
    before: datetime
