"""Computes the hosts of an application, and the application of a host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hosts:
    """The platform's scheme and domain. The domain may have a port (`localhost:8080`)."""

    scheme: str
    domain: str

    @property
    def port(self) -> str:
        """Returns `:8080`, or nothing if the port is the scheme's default."""
        _, colon, port = self.domain.partition(":")
        return colon + port

    @property
    def dashboard(self) -> tuple[str, ...]:
        """Returns the Dashboard's hosts: its own, the apex and `www`."""
        return (f"dashboard.{self.domain}", self.domain, f"www.{self.domain}")

    def of_slug(self, slug: str) -> str:
        """Returns the host of a slug."""
        return f"{slug}.{self.domain}"

    def name_of(self, slug: str) -> str:
        """Returns the name of the slug's host in the DNS: without port."""
        return self.of_slug(slug).partition(":")[0]

    def of_custom(self, domain: str) -> str:
        """Returns the host of a custom domain."""
        return domain + self.port

    def origin(self, host: str) -> str:
        """Returns the origin of a host."""
        return f"{self.scheme}://{host}"

    def slug(self, host: str) -> str | None:
        """Returns the slug of a host under the platform's domain, or None for any other host."""
        if host in self.dashboard:
            return "dashboard"
        label, dot, rest = host.partition(".")
        return label if dot and rest == self.domain else None

    def custom(self, host: str) -> str | None:
        """Returns the domain of a host that is not the platform's, or None if its port is not ours."""
        if host == self.domain or host.endswith(f".{self.domain}"):
            return None
        name, colon, port = host.partition(":")
        return name if colon + port == self.port else None

    def is_ours(self, name: str) -> bool:
        """Returns whether a name without port is part of the platform's own domain."""
        own = self.domain.partition(":")[0]
        return name == own or name.endswith(f".{own}")
