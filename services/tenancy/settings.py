"""What the tenancy service reads from the environment."""

from __future__ import annotations

from pydantic import Field

from common.settings import DatabaseSettings


class TenancySettings(DatabaseSettings):
    bootstrap_keys_file: str | None = Field(
        default=None, description="Where the Dashboard's first API keys are written, once, 0600."
    )
    sweep_every: float = Field(
        default=5.0, gt=0, le=3600, description="Seconds between looks for unfinished applications."
    )
    dns_servers: str = Field(
        default="",
        description="Where domains are proven, `address[:port]`, comma separated; empty: the machine's.",
    )
    slug_quarantine_days: int = Field(
        default=365, ge=0, le=36_500, description="A deleted application's slug is not given away."
    )
