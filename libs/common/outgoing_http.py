"""The only client for HTTP requests to other servers. It checks addresses and limits time and size.

The host is resolved once, each of its addresses is checked, and the connection goes to a checked address.
A name that resolves to another address a moment later therefore gains nothing (DNS rebinding). Redirects
are not followed, and no proxy is taken from the environment.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from common.egress import Egress

DEADLINE: Final = 5.0
"""Seconds for the whole request: resolving, connecting, sending, and reading the answer."""


class Unreachable(Exception):
    """The URL may not be called, or there was no usable answer. The text begins with the host, if
    there is one, and names the cause."""


@dataclass(frozen=True)
class Answer:
    """The status and the body of an answer, whatever the status is."""

    status: int
    body: bytes

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
        **content: Any,
    ) -> Answer:
        """Sends a request and returns its answer. `content` is `data`, `json` or `params`, as httpx
        takes them; `deadline` is in seconds. Raises Unreachable."""
        from common import pinned_http

        target = pinned_http.parse_url(url)
        if target is None:
            raise Unreachable("not a URL of a web server")
        if target.scheme == "http" and not self.egress.private:
            raise Unreachable(f"{target.host}: only https is called")
        try:
            async with asyncio.timeout(deadline):
                address = await self._resolve(target.raw_host.decode(), pinned_http.port_of(target))
                status, body = await pinned_http.exchange(
                    method, target, address, headers=headers or {}, content=content
                )
        except TimeoutError:
            raise Unreachable(f"{target.host}: no answer within {deadline:g} s") from None
        except pinned_http.FAILURES as error:
            cause = str(error) or type(error).__name__
            raise Unreachable(f"{target.host}: {cause}") from None
        return Answer(status, body)

    async def _resolve(self, host: str, port: int) -> str:
        """Returns an address of the host. All addresses of the host must be permitted."""
        try:
            entries = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise Unreachable(f"{host}: the host has no address") from None
        addresses = [str(entry[4][0]) for entry in entries]
        if not addresses or not all(self.egress.permits(address) for address in addresses):
            raise Unreachable(f"{host}: the host has an address that is not called")
        return addresses[0]
