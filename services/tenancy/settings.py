"""What the tenancy service reads from the environment."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.outgoing_http import OutgoingHttp
from common.settings import DatabaseSettings, EgressSettings
from tenancy.cloudflare import API, CloudflareHostnames, CustomHostnames


class Settings(DatabaseSettings, EgressSettings):
    sweep_database_url: SecretStr
    upkeep_database_url: SecretStr
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
    cloudflare_zone: str | None = Field(
        default=None, description="Zone id: custom domains are announced to Cloudflare for SaaS."
    )
    cloudflare_token: SecretStr | None = None
    cloudflare_url: str = API

    @property
    def hostnames(self) -> CustomHostnames | None:
        if self.cloudflare_zone is None or self.cloudflare_token is None:
            return None
        token = self.cloudflare_token.get_secret_value()
        http = OutgoingHttp(self.egress)
        return CloudflareHostnames(self.cloudflare_zone, token, self.cloudflare_url, http)
