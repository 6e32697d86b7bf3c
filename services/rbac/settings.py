"""What the rbac service reads from its environment."""

from __future__ import annotations

from common.settings import DatabaseSettings


class Settings(DatabaseSettings):
    """Nothing beyond what every service with tables has."""
