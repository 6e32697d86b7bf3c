"""The base of all audit events, and their form in the log.

The payload has a version. Within a version, fields are only added. Any other change makes a new one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from common.contracts.base import Contract

EVENTS: dict[str, type[Event]] = {}
"""Every event by its type."""


class Event(BaseModel):
    """An audit event. The docstring of each class is its text in docs/events.md."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    activity: ClassVar[bool] = False
    """Activity goes to the stream only, batched; records are written with the work itself."""

    def __init_subclass__(cls, *, type: str = "", version: int = 1, activity: bool = False) -> None:
        super().__init_subclass__()
        if not type:
            return
        if type in EVENTS:
            raise TypeError(f"event type {type!r} is already taken")
        cls.type, cls.version, cls.activity = type, version, activity
        EVENTS[type] = cls


class AuditEvent(Contract):
    """An audit event in the log and on the stream."""

    id: str
    app_id: str
    event_type: str
    version: int = 1
    event_data: dict[str, Any]
    user_id: str | None = None
    actor_kind: str
    actor_id: str | None = None
    session_id: str | None = None
    org_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    created_at: datetime
    trace: str | None = None
