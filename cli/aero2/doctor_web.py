"""Checks of `aero2 doctor` that use the public address, as a browser would."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from aero2.doctor_findings import Finding, failure, ok, skipped, warning
from aero2.doctor_target import Target

DISCOVERY: Final = "/.well-known/openid-configuration"
SOON: Final = 14 * 86_400
"""Seconds before the end of a certificate from which on there is a warning."""
NO_URL: Final = "set AERO2_PUBLIC_URL to look at the public address"


async def check_public_url(target: Target) -> list[Finding]:
    """The public address must lead here, with the host that the client asked for."""
    if not target.public_url:
        return skipped("public_url", NO_URL)
    parts = urlsplit(target.public_url)
    dashboard = f"{parts.scheme}://dashboard.{parts.netloc}"
    try:
        answer = await _get(target, dashboard, DISCOVERY)
    except (httpx.HTTPError, OSError) as error:
        return failure(
            "public_url",
            f"{dashboard} does not answer: {str(error) or type(error).__name__}.",
            "Look at DNS, the firewall, the proxy and its certificate.",
        )
    issuer = _issuer(answer)
    if issuer == dashboard:
        return ok("public_url", f"{dashboard} answers, and knows itself by this name.")
    if issuer is not None:
        return failure(
            "public_url",
            f"{dashboard} calls itself {issuer[:200]}.",
            "Set AERO2_PUBLIC_URL to the address that people use, and let the proxy pass Host on.",
        )
    return failure(
        "public_url",
        f"{dashboard} answers {answer.status_code}, and not as the Dashboard does.",
        "Let the proxy pass the header Host on unchanged, and see that it leads to the gateway.",
    )


async def _get(target: Target, origin: str, path: str) -> httpx.Response:
    """A name below localhost is this machine, whether the resolver knows it or not."""
    parts = urlsplit(origin)
    headers, url = {}, f"{origin}{path}"
    if target.is_local and parts.scheme == "http":
        headers["Host"] = parts.netloc
        url = f"http://127.0.0.1:{parts.port or 80}{path}"
    async with httpx.AsyncClient(timeout=5, trust_env=False, verify=_trust(target)) as http:
        return await http.get(url, headers=headers)


def _trust(target: Target) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(target.authority) if target.authority else None)


def _issuer(answer: httpx.Response) -> str | None:
    try:
        document: Any = answer.json()
        return str(document["issuer"])
    except (ValueError, KeyError, TypeError):
        return None


async def check_wildcard_dns(target: Target) -> list[Finding]:
    """A new application gets a name that must resolve."""
    if not target.public_url:
        return skipped("wildcard_dns", NO_URL)
    if target.is_local:
        return skipped("wildcard_dns", "browsers know that names below localhost are this machine")
    names = f"aero2-{secrets.token_hex(4)}.{target.domain}", f"dashboard.{target.domain}"
    for name in names:
        try:
            await asyncio.get_running_loop().getaddrinfo(name, 443)
        except socket.gaierror:
            return failure(
                "wildcard_dns",
                f"{name} does not resolve: each application has a name of its own.",
                f"Add the DNS records {target.domain} and *.{target.domain}.",
            )
    return ok("wildcard_dns", f"Names below {target.domain} resolve.")


async def check_certificate(target: Target) -> list[Finding]:
    """The certificate must be valid for the names of applications, and not end soon."""
    parts = urlsplit(target.public_url)
    if parts.scheme != "https":
        return skipped("certificate", "the public address has no TLS")
    name = f"dashboard.{parts.hostname}"
    host = "127.0.0.1" if target.is_local else name
    try:
        ends = await _certificate_end(target, host, parts.port or 443, name)
    except ssl.SSLCertVerificationError as error:
        return failure(
            "certificate",
            f"Clients refuse the certificate of {name}: {error.verify_message}.",
            f"It needs the names {parts.hostname} and *.{parts.hostname}, and a known authority.",
        )
    left = ends - time.time()
    if left > SOON:
        return ok(
            "certificate", f"The certificate of {name} is valid for {left / 86_400:.0f} days."
        )
    return warning(
        "certificate",
        f"The certificate of {name} ends in {left / 86_400:.0f} days.",
        "Renew it, and look at why that has not happened by itself.",
    )


async def _certificate_end(target: Target, host: str, port: int, name: str) -> float:
    """Returns when the certificate ends, in epoch seconds. Raises OSError and ssl.SSLError."""
    async with asyncio.timeout(5):
        _, writer = await asyncio.open_connection(
            host, port, ssl=_trust(target), server_hostname=name
        )
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return ssl.cert_time_to_seconds(certificate["notAfter"])
