"""Announces custom domains to Cloudflare for SaaS, which terminates TLS for them.

A deployment with a proxy of its own (deploy/tls.Caddyfile) needs no announcement: the proxy gets
certificates on demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from common.outgoing_http import OutgoingHttp, Unreachable
from common.problems import Unavailable

API: Final = "https://api.cloudflare.com/client/v4"
DUPLICATE: Final = 1406
"""Cloudflare's error code for a hostname that exists already."""


@dataclass(frozen=True)
class Hostname:
    """A hostname at Cloudflare. `status` is `active` once it has a certificate."""

    id: str
    status: str


class HostnameRefused(Exception):
    """Cloudflare refuses this name for good; the text has its error codes."""


class CustomHostnames(Protocol):
    """Where domains are announced. Each call is safe to repeat, and raises Unavailable."""

    async def create(self, domain: str) -> Hostname:
        """Announces the domain. Raises HostnameRefused."""
        ...

    async def poll(self, id: str) -> Hostname | None:
        """Returns the hostname, or None if it is gone."""
        ...

    async def delete(self, id: str) -> None:
        """Withdraws the hostname."""
        ...


@dataclass
class CloudflareHostnames:
    """Cloudflare for SaaS, custom hostnames of one zone (API v4)."""

    zone: str
    token: str = field(repr=False)
    url: str = API
    http: OutgoingHttp = field(default_factory=OutgoingHttp)

    async def create(self, domain: str) -> Hostname:
        """Announces the domain, or finds it announced. Raises HostnameRefused, Unavailable."""
        hostname = {"hostname": domain, "ssl": {"method": "http", "type": "dv"}}
        status, body = await self._ask("POST", "", json=hostname)
        if any(error.get("code") == DUPLICATE for error in body.get("errors", [])):
            return await self._by_name(domain)
        return _hostname(_result(status, body))

    async def poll(self, id: str) -> Hostname | None:
        """Returns the hostname, or None if it is gone. Raises Unavailable."""
        status, body = await self._ask("GET", f"/{id}")
        return None if status == 404 else _hostname(_result(status, body))

    async def delete(self, id: str) -> None:
        """Withdraws the hostname. Raises Unavailable."""
        status, body = await self._ask("DELETE", f"/{id}")
        if status != 404 and status >= 300:
            _result(status, body)

    async def _by_name(self, domain: str) -> Hostname:
        """Returns a hostname that an earlier call created and whose answer was lost."""
        status, body = await self._ask("GET", "", params={"hostname": domain})
        for result in _result(status, body):
            if result["hostname"] == domain:
                return _hostname(result)
        raise Unavailable("Cloudflare contradicts itself", retry_after=60)

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}/zones/{self.zone}/custom_hostnames{path}"
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            answer = await self.http.request(method, url, headers=headers, **more)
            body = answer.json()
        except (Unreachable, ValueError) as error:
            raise Unavailable(
                f"Cloudflare does not answer ({type(error).__name__})", retry_after=30
            ) from None
        return answer.status, body if isinstance(body, dict) else {}


def _result(status: int, body: dict[str, Any]) -> Any:
    """Returns the result of an answer. Raises HostnameRefused, Unavailable."""
    if status < 300 and body.get("success"):
        return body["result"]
    codes = ", ".join(str(error.get("code")) for error in body.get("errors", [])) or str(status)
    if status in (400, 409, 422):
        raise HostnameRefused(codes)
    raise Unavailable(f"Cloudflare refused: {codes}", retry_after=60)


def _hostname(result: dict[str, Any]) -> Hostname:
    """Returns the hostname. It is active once both its name and its certificate are."""
    name = result.get("status", "pending")
    certificate = result.get("ssl", {}).get("status", "initializing")
    return Hostname(result["id"], name if certificate == "active" else certificate)
