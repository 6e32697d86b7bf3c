"""Settings of the rbac service."""

from __future__ import annotations

from common.settings import DatabaseSettings


class Settings(DatabaseSettings):
    """The settings of every service with tables; rbac has none of its own."""
