"""The only client for HTTP requests to other servers. It checks addresses and limits time and size.

The host is resolved once, each of its addresses is checked, and the connection goes to a checked address.
A name that resolves to another address a moment later therefore gains nothing (DNS rebinding). Redirects
are not followed, and no proxy is taken from the environment. Hosts of this deployment are reached at its
gateway (`common.deployment_hosts`).
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from common import tracing
from common.deployment_hosts import Endpoint
from common.egress import Egress

if TYPE_CHECKING:
    import httpx

MAX_BYTES: Final = 1_000_000
"""Of the body of an answer."""
DEADLINE: Final = 5.0
"""Seconds for the whole request: resolving, connecting, sending, and reading the answer."""


class Unreachable(Exception):
    """The URL may not be called, or there was no usable answer. The text begins with the host, if
    there is one, and names the cause."""


class TooLong(Unreachable):
    """The answer has more bytes than the caller takes."""


@dataclass(frozen=True)
class Answer:
    """The status and the body of an answer, whatever the status is. Names of headers are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Returns the body as a JSON value. Raises ValueError."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class OutgoingHttp:
    """The client. Each request has a connection of its own."""

    egress: Egress = field(default_factory=Egress)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        deadline: float = DEADLINE,
        max_bytes: int = MAX_BYTES,
        **content: Any,
    ) -> Answer:
        """Sends a request and returns its answer. `content` is `data`, `json` or `params`, as httpx
        takes them; `deadline` is in seconds. Raises Unreachable, and TooLong as soon as more than
        `max_bytes` have come."""
        from common import pinned_http

        target = pinned_http.parse_url(url)
        if target is None:
            raise Unreachable("not a URL of a web server")
        facts: dict[str, str | int] = {
            "http.request.method": method,
            "server.address": target.host,
            "server.port": pinned_http.port_of(target),
        }
        with tracing.client_span(method, facts) as span:
            answer = await self._answer(
                method,
                target,
                headers=headers,
                deadline=deadline,
                max_bytes=max_bytes,
                content=content,
            )
            if span is not None:
                span.set({"http.response.status_code": answer.status})
        return answer

    async def _answer(
        self,
        method: str,
        target: httpx.URL,
        *,
        headers: dict[str, str] | None,
        deadline: float,
        max_bytes: int,
        content: dict[str, Any],
    ) -> Answer:
        from common import pinned_http

        own = self._own_gateway(target)
        if target.scheme == "http" and not self.egress.private and own is None:
            raise Unreachable(f"{target.host}: only https is called")
        try:
            async with asyncio.timeout(deadline):
                endpoint = await self._endpoint(target, own)
                status, body, received = await pinned_http.exchange(
                    method,
                    target,
                    endpoint,
                    headers=headers or {},
                    max_bytes=max_bytes,
                    content=content,
                )
        except TimeoutError:
            raise Unreachable(f"{target.host}: no answer within {deadline:g} s") from None
        except pinned_http.LongAnswer as error:
            raise TooLong(f"{target.host}: {error}") from None
        except pinned_http.FAILURES as error:
            cause = str(error) or type(error).__name__
            raise Unreachable(f"{target.host}: {cause}") from None
        return Answer(status, body, received)

    def _own_gateway(self, target: httpx.URL) -> Endpoint | None:
        """Returns this deployment's gateway if the URL is one of its own, else None."""
        deployment = self.egress.deployment
        if deployment is None or not deployment.serves(
            target.scheme, target.host, target.port, target.path
        ):
            return None
        return deployment.gateway

    async def _endpoint(self, target: httpx.URL, own: Endpoint | None) -> Endpoint:
        """Returns where to connect to. The operator chose the gateway's address, so it is not checked."""
        from common import pinned_http

        if own is not None:
            addresses = await _addresses(own.host, own.port)
            if not addresses:
                raise Unreachable(f"{target.host}: the gateway has no address")
            return own._replace(host=addresses[0])
        port = pinned_http.port_of(target)
        return Endpoint(target.scheme, await self.resolve(target.raw_host.decode(), port), port)

    async def resolve(self, host: str, port: int) -> str:
        """Returns an address of the host, to connect to. All addresses of the host must be permitted.
        Raises Unreachable."""
        addresses = await _addresses(host, port)
        if not addresses:
            raise Unreachable(f"{host}: the host has no address")
        if not all(self.egress.permits(address) for address in addresses):
            raise Unreachable(f"{host}: the host has an address that is not called")
        return addresses[0]


async def _addresses(host: str, port: int) -> list[str]:
    """Returns the addresses of the host. Empty if it has none."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in entries]
