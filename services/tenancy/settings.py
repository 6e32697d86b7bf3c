"""Settings of the tenancy service."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from common.homes import MAIN
from common.outgoing_http import OutgoingHttp
from common.settings import DatabaseSettings, EgressSettings
from tenancy.cloudflare import API, CloudflareHostnames, CustomHostnames


class Settings(DatabaseSettings, EgressSettings):
    """The settings of every service with tables, and those of tenancy."""

    sweep_database_url: SecretStr = Field(
        description="DSN with the role `aero2_sweep`: deletes what has expired."
    )
    upkeep_database_url: SecretStr = Field(
        description="DSN with the role `aero2_upkeep`: seals the audit log, keeps its retention, "
        "counts the use of keys, deletes applications."
    )
    bootstrap_keys_file: str | None = Field(
        default=None,
        description="File where the Dashboard's first API keys are written, once, with mode 0600.",
    )
    sweep_every: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="Seconds between two looks for applications that are not complete.",
    )
    dns_servers: str = Field(
        default="",
        description="DNS servers that prove domains, `address[:port]`, separated by commas. Empty: "
        "the machine's.",
    )
    slug_quarantine_days: int = Field(
        default=365,
        ge=0,
        le=36_500,
        description="Days in which nobody gets the slug of a deleted application.",
    )
    new_applications_home: str = Field(
        default=MAIN,
        description="Name of the database cluster for new applications, unless an operator chooses one. "
        "`main` is that of `AERO2_DATABASE_URL`.",
    )
    cloudflare_zone: str | None = Field(
        default=None,
        description="Zone id at Cloudflare for SaaS, where custom domains are announced.",
    )
    cloudflare_token: SecretStr | None = Field(
        default=None, validate_default=True, description="API token for that zone."
    )
    cloudflare_url: str = Field(default=API, description="Cloudflare's API.")

    @field_validator("cloudflare_token")
    @classmethod
    def _with_zone(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if bool(token) != bool(info.data.get("cloudflare_zone")):
            raise ValueError("AERO2_CLOUDFLARE_ZONE and a token belong together")
        return token

    @property
    def hostnames(self) -> CustomHostnames | None:
        """Returns where custom domains are announced, or None."""
        if not self.cloudflare_zone or not self.cloudflare_token:
            return None
        token = self.cloudflare_token.get_secret_value()
        http = OutgoingHttp(self.egress)
        return CloudflareHostnames(self.cloudflare_zone, token, self.cloudflare_url, http)
