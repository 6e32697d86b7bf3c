"""The one client for HTTP requests to the outside: guarded, short and small.

A host is resolved once, each of its addresses is checked, and the connection goes to a checked
address, so a name that resolves differently a moment later gains nothing. Redirects are not
followed, and no proxy is taken from the environment.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import orjson

from common.egress import Egress
from common.http import httpx

DEADLINE: Final = 5.0
"""Seconds for all of a request: resolving, connecting, sending, and reading the answer."""
MAX_BYTES: Final = 1_000_000
"""Of an answer's body."""
DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Unreachable(Exception):
    """The URL may not be called, or there was no usable answer. The text begins with the host where
    there is one, and names the cause."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        """Raises ValueError."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class OutgoingHttp:
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
        """`content` is `data`, `json` or `params`, as httpx takes them. Raises Unreachable."""
        target = self._target(url)
        try:
            async with asyncio.timeout(deadline):
                address = await self._resolve(target)
                return await _exchange(method, target, address, headers or {}, content)
        except TimeoutError:
            raise Unreachable(f"{target.host}: no answer within {deadline:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            cause = str(error) or type(error).__name__
            raise Unreachable(f"{target.host}: {cause}") from None

    def _target(self, url: str) -> httpx.URL:
        """An absolute URL without credentials. Whoever registered it may have meant harm."""
        try:
            target = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise Unreachable("not a URL") from None
        if target.scheme not in DEFAULT_PORTS or not target.host or target.userinfo:
            raise Unreachable("not a URL of a web server")
        if target.scheme == "http" and not self.egress.private:
            raise Unreachable(f"{target.host}: only https is called")
        return target

    async def _resolve(self, target: httpx.URL) -> str:
        """An address of the host; all its addresses must be permitted."""
        try:
            entries = await asyncio.get_running_loop().getaddrinfo(
                target.raw_host.decode(), _port(target), type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise Unreachable(f"{target.host}: the host has no address") from None
        addresses = [str(entry[4][0]) for entry in entries]
        if not addresses or not all(self.egress.permits(address) for address in addresses):
            raise Unreachable(f"{target.host}: the host has an address that is not called")
        return addresses[0]


async def _exchange(
    method: str, target: httpx.URL, address: str, headers: dict[str, str], content: dict[str, Any]
) -> Answer:
    """A client of its own for each request: pooled connections are known by address alone, so that
    two hosts at one address would share one."""
    async with httpx.AsyncClient(
        timeout=None, follow_redirects=False, trust_env=False, verify=authorities()
    ) as client:
        request = client.build_request(
            method,
            target.copy_with(host=address, port=_port(target)),
            headers=headers
            | {
                "Host": target.netloc.decode(),
                "User-Agent": "Aero2",
                "Accept": "application/json, text/plain;q=0.5",
                "Accept-Encoding": "identity",
            },
            extensions={"sni_hostname": target.raw_host.decode()},
            **content,
        )
        response = await client.send(request, stream=True)
        try:
            return Answer(response.status_code, await _body(response))
        finally:
            await response.aclose()


async def _body(response: httpx.Response) -> bytes:
    """The body as sent: nothing is unpacked, so a small answer cannot become a large one."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BYTES:
            raise httpx.ReadError(f"the answer has more than {MAX_BYTES} bytes")
    return bytes(body)


def _port(target: httpx.URL) -> int:
    return target.port or DEFAULT_PORTS[target.scheme]


@cache
def authorities() -> ssl.SSLContext:
    """The authorities of httpx and of this system, for which SSL_CERT_FILE may name others. Read
    once: that takes a core 35 ms."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context
