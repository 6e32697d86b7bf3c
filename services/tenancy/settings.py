"""Settings of the tenancy service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.outgoing_http import OutgoingHttp
from common.settings import DatabaseSettings, EgressSettings
from tenancy.cloudflare import API, CloudflareHostnames, CustomHostnames


class Settings(DatabaseSettings, EgressSettings):
    """The settings of every service with tables, and those of tenancy."""

    sweep_database_url: SecretStr
    upkeep_database_url: SecretStr
    bootstrap_keys_file: str | None = Field(
        default=None,
        description="File for the Dashboard's first API keys, written once with mode 0600.",
    )
    sweep_every: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="Seconds between two searches for unfinished applications.",
    )
    dns_servers: str = Field(
        default="",
        description="Name servers for proofs of domains, `address[:port]`, comma separated. Empty: the machine's.",
    )
    slug_quarantine_days: int = Field(
        default=365,
        ge=0,
        le=36_500,
        description="Days in which the slug of a deleted application cannot be used.",
    )
    cloudflare_zone: str | None = Field(
        default=None,
        description="Id of the zone in which custom domains are announced to Cloudflare for SaaS.",
    )
    cloudflare_token: SecretStr | None = None
    cloudflare_url: str = API

    @property
    def hostnames(self) -> CustomHostnames | None:
        """Returns where custom domains are announced, or None."""
        if self.cloudflare_zone is None or self.cloudflare_token is None:
            return None
        token = self.cloudflare_token.get_secret_value()
        http = OutgoingHttp(self.egress)
        return CloudflareHostnames(self.cloudflare_zone, token, self.cloudflare_url, http)
