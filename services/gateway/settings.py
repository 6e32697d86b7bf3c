"""Settings of the gateway."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.operator_rules import OPERATOR_MFA, OperatorMfa
from common.settings import Settings

Network = IPv4Network | IPv6Network

INTERNAL = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8"


class GatewaySettings(Settings):
    """Listeners, trusted proxies and limits of the gateway."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    listen_fd: int | None = Field(
        default=None,
        ge=0,
        description="Number of an inherited listening socket, instead of host and port. Its owner "
        "keeps the port open while the gateway restarts: connections wait, as under `aero2 up`.",
    )
    metrics_listen_fd: int | None = Field(
        default=None, ge=0, description="Number of an inherited socket for the internal listener."
    )
    reuse_port: bool = Field(
        default=False,
        description="Several gateways on one machine share host and port (`SO_REUSEPORT`): set it "
        "on each of them. A gateway that gets SIGTERM closes its port first, then answers the "
        "requests that have reached it.",
    )
    lame_duck: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="Seconds after SIGTERM in which `/health/ready` answers 503 and the gateway still "
        "accepts and serves, until the load balancer sends no more. Every response then ends its "
        "connection. SIGINT does not wait.",
    )
    trusted_proxies: Annotated[list[Network], NoDecode] = Field(
        default=[],
        description="CIDRs whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    internal_networks: Annotated[list[Network], NoDecode] = Field(
        default=[ip_network(net) for net in INTERNAL.split(",")],
        description="CIDRs that the internal listener answers.",
    )
    max_body: int = Field(default=1_048_576, ge=1024, description="Most bytes of a request's body.")
    limit_scale: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Multiplies every limit, of signing in and against floods. 0 turns them off, "
        "for load tests.",
    )
    operator_mfa: OperatorMfa = Field(default="required", description=OPERATOR_MFA)
    at_once: int = Field(
        default=32,
        ge=0,
        le=10_000,
        description="Requests that are worked on at once before applications take turns; 0: no bound.",
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
    def half_session_cookie(self) -> str:
        """A sign-in whose second factor is missing. It is no session."""
        return "__Host-aero2_half" if self.secure else "aero2_half"

    @cached_property
    def device_cookie(self) -> str:
        """The beginning of the names of the cookies for remembered devices: one for each user."""
        return "__Host-aero2_device_" if self.secure else "aero2_device_"

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
