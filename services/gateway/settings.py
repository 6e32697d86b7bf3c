"""Settings of the gateway."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings import Settings

Network = IPv4Network | IPv6Network

INTERNAL = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"


class GatewaySettings(Settings):
    """Where it listens and whom it believes."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    listen_fd: int | None = Field(
        default=None, ge=0, description="An open listening socket, instead of host and port."
    )
    metrics_listen_fd: int | None = Field(default=None, ge=0, description="The same for metrics.")
    reuse_port: bool = Field(default=False, description="Several gateways share one port.")
    trusted_proxies: Annotated[list[Network], NoDecode] = Field(
        default=[], description="Peers whose X-Forwarded-For and -Proto are believed; none."
    )
    internal_networks: Annotated[list[Network], NoDecode] = Field(
        default=[ip_network(net) for net in INTERNAL.split(",")],
        description="Peers that the internal listener (metrics, certificates) answers.",
    )
    max_body: int = Field(default=1_048_576, ge=1024, description="Bytes.")
    limit_scale: float = Field(
        default=1.0, ge=0, le=1000, description="Multiplies every limit; 0 turns them off."
    )
    at_once: int = Field(
        default=32,
        ge=0,
        le=10_000,
        description="Requests worked on before applications take turns; 0: no bound.",
    )

    @field_validator("trusted_proxies", "internal_networks", mode="before")
    @classmethod
    def _networks(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        return [ip_network(part.strip()) for part in text.split(",") if part.strip()]

    @cached_property
    def secure(self) -> bool:
        return self.scheme == "https"

    @cached_property
    def session_cookie(self) -> str:
        """RFC 6265bis section 4.1.3.2: `__Host-` needs Secure, which plain-http localhost lacks."""
        return "__Host-aero2_session" if self.secure else "aero2_session"

    @cached_property
    def accounts_cookie(self) -> str:
        """Further sessions of the same browser, for the account switcher."""
        return "__Host-aero2_sessions" if self.secure else "aero2_sessions"

    @cached_property
    def choices_cookie(self) -> str:
        """By client: the session that the person chose."""
        return "__Host-aero2_choices" if self.secure else "aero2_choices"

    @cached_property
    def browser_cookie(self) -> str:
        """Names the browser before anybody has signed in: form tokens and mail links are bound
        to it."""
        return "__Host-aero2_browser" if self.secure else "aero2_browser"
