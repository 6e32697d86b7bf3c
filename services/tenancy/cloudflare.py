"""Custom hostnames at an edge network that terminates TLS for them.

With a front of one's own (deploy/Caddyfile) certificates are got on demand and nothing is to be
announced. Behind Cloudflare for SaaS each domain is made known to it; it gets the certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from common.outgoing_http import OutgoingHttp, Unreachable
from common.problems import Unavailable

API: Final = "https://api.cloudflare.com/client/v4"
DUPLICATE: Final = 1406
"""Cloudflare's error code: the hostname is there already."""


@dataclass(frozen=True)
class Hostname:
    """`status` is `active` once the network serves the domain with a certificate."""

    id: str
    status: str


class HostnameRefused(Exception):
    """The network will not have this name, now or later; the text says why."""


class CustomHostnames(Protocol):
    """Each call is safe to repeat. Raises Unavailable where the network does not answer, `create`
    HostnameRefused too."""

    async def create(self, domain: str) -> Hostname: ...

    async def poll(self, id: str) -> Hostname | None: ...

    async def delete(self, id: str) -> None: ...


@dataclass
class CloudflareHostnames:
    """Cloudflare for SaaS, custom hostnames of one zone (API v4)."""

    zone: str
    token: str = field(repr=False)
    url: str = API
    http: OutgoingHttp = field(default_factory=OutgoingHttp)

    async def create(self, domain: str) -> Hostname:
        wanted = {"hostname": domain, "ssl": {"method": "http", "type": "dv"}}
        status, body = await self._ask("POST", "", json=wanted)
        if any(error.get("code") == DUPLICATE for error in body.get("errors", [])):
            return await self._named(domain)
        return _hostname(_result(status, body))

    async def poll(self, id: str) -> Hostname | None:
        """None where it is gone."""
        status, body = await self._ask("GET", f"/{id}")
        return None if status == 404 else _hostname(_result(status, body))

    async def delete(self, id: str) -> None:
        status, body = await self._ask("DELETE", f"/{id}")
        if status != 404 and status >= 300:
            _result(status, body)

    async def _named(self, domain: str) -> Hostname:
        """An earlier try got through and its answer was lost."""
        status, body = await self._ask("GET", "", params={"hostname": domain})
        for found in _result(status, body):
            if found["hostname"] == domain:
                return _hostname(found)
        raise Unavailable("the edge network contradicts itself", retry_after=60)

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        url = f"{self.url}/zones/{self.zone}/custom_hostnames{path}"
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            answer = await self.http.request(method, url, headers=headers, **more)
            body = answer.json()
        except (Unreachable, ValueError) as error:
            raise Unavailable(
                f"the edge network does not answer ({type(error).__name__})", retry_after=30
            ) from None
        return answer.status, body if isinstance(body, dict) else {}


def _result(status: int, body: dict[str, Any]) -> Any:
    if status < 300 and body.get("success"):
        return body["result"]
    codes = ", ".join(str(error.get("code")) for error in body.get("errors", [])) or str(status)
    if status in (400, 409, 422):
        raise HostnameRefused(codes)
    raise Unavailable(f"the edge network refused: {codes}", retry_after=60)


def _hostname(result: dict[str, Any]) -> Hostname:
    """Two verifications, of the name and of its certificate: it serves once both are active."""
    name = result.get("status", "pending")
    certificate = result.get("ssl", {}).get("status", "initializing")
    return Hostname(result["id"], name if certificate == "active" else certificate)
