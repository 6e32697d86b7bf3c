"""Scopes and APIs."""

from __future__ import annotations

from common.events.base import Event


class ScopeChanged(Event, type="scope_changed"):
    """A scope or an API of the application was created, changed or deleted."""

    name: str
    change: str
