"""The hosts of this deployment's own applications, which outgoing calls reach at the gateway.

An application may be the identity provider of another one. Its public address leads through a load
balancer, or is loopback in another container, so a service may not reach it. Its requests go to the
gateway instead. Private addresses stay closed: a tenant chooses the host, never the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"https": 443, "http": 80}
PATHS: Final = ("/.well-known/", "/oauth2/", "/rp/")
"""The paths of a provider and of a relying party. No other path goes to the gateway: it shows peers inside
the deployment its health in detail."""
LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Endpoint(NamedTuple):
    """A scheme, a host or address, and a port to connect to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Returns the endpoint of `host:port`, `http://host:port` or `https://host:port`. Raises
        ValueError for any other text."""
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        if port is None or not parts.hostname or extra:
            raise ValueError("an address is needed, like gateway:8080 or https://gateway:8443")
        return cls(parts.scheme, parts.hostname, port)


@dataclass(frozen=True)
class DeploymentHosts:
    """The applications' hosts under the platform's domain, and the gateway that answers for them."""

    platform: Endpoint
    """The platform's public origin."""
    gateway: Endpoint

    def serves(self, scheme: str, host: str, port: int | None, path: str) -> bool:
        """Returns whether a URL with these parts is a provider's or a relying party's endpoint of this
        deployment. A path with dot segments is none: a proxy at the gateway's address would resolve them
        (RFC 3986 section 5.2.4)."""
        dotted = any(segment in (".", "..") for segment in path.split("/"))
        return path.startswith(PATHS) and not dotted and self.has_origin(scheme, host, port)

    def has_origin(self, scheme: str, host: str, port: int | None) -> bool:
        """Returns whether this is the origin of an application. The port counts: another port of the
        same name is not the gateway's."""
        label, _, domain = host.partition(".")
        return (
            scheme == self.platform.scheme
            and (port or DEFAULT_PORTS[self.platform.scheme]) == self.platform.port
            and domain == self.platform.host
            and LABEL.fullmatch(label) is not None
        )
