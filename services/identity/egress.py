"""Calls to servers outside (captcha, breached passwords): public addresses only, short, no redirects.

The name is resolved once and the connection made to that very address, so that a name which
resolves differently a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore

from common.http import httpx

TIMEOUT = 5.0
MOST = 1_000_000
"""Bytes of an answer."""


def public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(public(address) for address in addresses):
            raise httpcore.ConnectError("not a public address")
        return await self._inner.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("no unix sockets")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def client(*, private: bool = False) -> httpx.AsyncClient:
    """`private` is for tests and closed networks only."""
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), retries=0)
    if not private:
        transport._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=20,
            keepalive_expiry=30,
            network_backend=PublicOnly(),
        )
    return httpx.AsyncClient(
        transport=transport,
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "Aero2"},
    )


async def read(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer, at most MOST bytes of it. Raises httpx.HTTPError."""
    response = await http.send(request, stream=True)
    try:
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MOST:
                raise httpx.ReadError("the answer is too large")
    finally:
        await response.aclose()
    return httpx.Response(response.status_code, content=bytes(body), request=request)
