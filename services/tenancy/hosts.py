"""Which hosts an application answers on, and which application a host may belong to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hosts:
    """Hosts under the platform's domain, which may carry a port (`localhost:8080`)."""

    scheme: str
    domain: str

    @property
    def port(self) -> str:
        """`:8080`, or nothing where it is the scheme's default."""
        _, colon, port = self.domain.partition(":")
        return colon + port

    @property
    def dashboard(self) -> tuple[str, ...]:
        """The Dashboard answers on its own host, the apex and `www`."""
        return (f"dashboard.{self.domain}", self.domain, f"www.{self.domain}")

    def of_slug(self, slug: str) -> str:
        return f"{slug}.{self.domain}"

    def name_of(self, slug: str) -> str:
        """The slug's host as the DNS knows it: without port."""
        return self.of_slug(slug).partition(":")[0]

    def of_custom(self, domain: str) -> str:
        return domain + self.port

    def origin(self, host: str) -> str:
        return f"{self.scheme}://{host}"

    def slug(self, host: str) -> str | None:
        """The slug that a host under the platform's domain names."""
        if host in self.dashboard:
            return "dashboard"
        label, dot, rest = host.partition(".")
        return label if dot and rest == self.domain else None

    def custom(self, host: str) -> str | None:
        """The domain of a host that is not ours, where it asks for our port."""
        if host == self.domain or host.endswith(f".{self.domain}"):
            return None
        name, colon, port = host.partition(":")
        return name if colon + port == self.port else None

    def is_ours(self, name: str) -> bool:
        """Whether a host name without port lies in the platform's own domain."""
        own = self.domain.partition(":")[0]
        return name == own or name.endswith(f".{own}")
