"""Sends one HTTP request to an address that was checked before.

`common.outgoing_http` imports this module at the first call: httpx takes a fifth of a second to import,
and many processes never call anything outside.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any, Final

import httpx

from common.deployment_hosts import DEFAULT_PORTS, Endpoint

FAILURES: Final = (httpx.HTTPError, OSError)
"""The exceptions of `exchange` if there is no usable answer."""


class LongAnswer(httpx.ReadError):
    """The body is longer than the caller takes."""


def parse_url(url: str) -> httpx.URL | None:
    """Returns an absolute URL of a web server, without credentials. Returns None for any other text:
    a tenant may have stored anything."""
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return None
    if target.scheme not in DEFAULT_PORTS or not target.host or target.userinfo:
        return None
    return target


def port_of(target: httpx.URL) -> int:
    """Returns the port of a URL, or the default port of its scheme."""
    return target.port or DEFAULT_PORTS[target.scheme]


async def exchange(
    method: str,
    target: httpx.URL,
    endpoint: Endpoint,
    *,
    headers: dict[str, str],
    max_bytes: int,
    content: dict[str, Any],
) -> tuple[int, bytes, dict[str, str]]:
    """Sends a request for `target` to the IP address of an endpoint. Returns the status, the body and
    the headers. Raises one of FAILURES.

    Each request has a client of its own: pooled connections are found by address alone, so two hosts
    at one address would share one.
    """
    async with httpx.AsyncClient(
        timeout=None,  # noqa: S113 - the caller has one deadline for everything
        follow_redirects=False,
        trust_env=False,
        verify=authorities(),
    ) as client:
        request = client.build_request(
            method,
            target.copy_with(scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port),
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
            body = await _body(response, max_bytes)
            return response.status_code, body, dict(response.headers)
        finally:
            await response.aclose()


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """Returns the body as it was sent. Nothing is decompressed, so a small answer cannot become a
    large one."""
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > max_bytes:
            raise LongAnswer(f"the answer has more than {max_bytes} bytes")
    return bytes(body)


@cache
def authorities() -> ssl.SSLContext:
    """Returns the authorities of httpx and of this system, for which SSL_CERT_FILE may name others.
    They are read once: that takes 35 ms of CPU time."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context
