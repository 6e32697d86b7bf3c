"""Scopes and resources."""

from __future__ import annotations

from common.events.base import Event


class ScopeChanged(Event, type="scope_changed"):
    """A scope or resource (API) of the application was made, changed or deleted."""

    name: str
    change: str
