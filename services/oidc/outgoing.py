"""Requests that we make to addresses somebody gave us: only to public hosts, small and short."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from functools import cache
from typing import Any, Final

import orjson

from common import logs
from common.http import httpx

log = logs.get(__name__)

TIMEOUT: Final = 5.0
MAX_BYTES: Final = 1_000_000


class Unreachable(Exception):
    """The address is not allowed, did not answer, or answered what we cannot use."""


async def get_json(url: str, *, private: bool) -> dict[str, Any]:
    """An object from there; an empty one where there is none to be had."""
    try:
        _, body = await request("GET", url, private=private)
        found = orjson.loads(body)
    except (Unreachable, ValueError) as error:
        log.info("fetch failed", error=str(error)[:100])
        return {}
    return found if isinstance(found, dict) else {}


async def request(
    method: str, url: str, *, private: bool, data: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body. The host is resolved once, and that very address connected to, so that
    what was checked is what is reached; redirects are not followed. Raises Unreachable."""
    named = _read(url)
    if named.scheme == "http" and not private:
        raise Unreachable("only https is called")
    host = named.raw_host.decode()
    port = named.port or (443 if named.scheme == "https" else 80)
    address = await _resolved(host, port, private=private)
    headers = {
        "Host": named.netloc.decode(),
        "User-Agent": "Aero2",
        "Accept": "application/json",
    }
    try:
        async with asyncio.timeout(TIMEOUT):
            async with httpx.AsyncClient(
                timeout=TIMEOUT, follow_redirects=False, trust_env=False, verify=trusted()
            ) as http:
                sent = http.build_request(
                    method,
                    named.copy_with(host=address, port=port),
                    headers=headers,
                    data=data,
                    extensions={"sni_hostname": host},
                )
                response = await http.send(sent, stream=True)
                try:
                    return response.status_code, await _bounded(response)
                finally:
                    await response.aclose()
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise Unreachable(type(error).__name__) from None


def _read(url: str) -> httpx.URL:
    """An absolute web address without credentials. Whoever registered it may have meant harm."""
    try:
        named = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Unreachable("not an address") from None
    if named.scheme not in ("https", "http") or not named.host or named.userinfo:
        raise Unreachable("not an address we call")
    return named


@cache
def trusted() -> ssl.SSLContext:
    """Whom we believe to be who they are: httpx's authorities and those of this system, for which
    SSL_CERT_FILE may name others. Read once: that takes a core 35 ms."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unreachable("the answer is too large")
    return body


async def _resolved(host: str, port: int, *, private: bool) -> str:
    """An address of the host; every address it has must be a public one."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise Unreachable("the host has no address") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(is_public(address) for address in addresses):
        raise Unreachable("the host has an address that is not public")
    return addresses[0]


def is_public(address: str) -> bool:
    """Not loopback, private, link-local, multicast, reserved; the same for IPv4 inside IPv6."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or (None, None))[1]
        if inner is not None:
            parsed = inner
        elif parsed in ipaddress.ip_network("64:ff9b::/96"):
            parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    return parsed.is_global and not parsed.is_multicast
