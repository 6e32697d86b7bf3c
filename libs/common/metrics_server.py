"""Serves a process's metrics: on a port of its own, or on a socket in a folder where the gateway
of the same machine joins them."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Final

import prometheus_client

from common import logs
from common.settings import Settings

log = logs.get(__name__)

PATIENCE: Final = 5.0
"""Seconds for a request to arrive."""


def authorized(settings: Settings, header: bytes) -> bool:
    """Returns whether an Authorization header carries `AERO2_METRICS_TOKEN`, or none is set."""
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
    return not token or hmac.compare_digest(header, f"Bearer {token}".encode())


offered: list[tuple[str, str]] = []
"""The service and replica under which this process offers its metrics on a socket, once it does."""


def socket_in(folder: str, service: str, replica: str) -> Path:
    """Returns the path of a process's socket. Names of services have no dot."""
    return Path(folder) / f"{service}.{replica}.metrics"


async def serve_metrics(settings: Settings, service: str) -> asyncio.Server | None:
    """Starts to listen for as long as the returned server is kept: with uvloop, a server without
    references closes. If the port is taken, the process runs without metrics."""
    try:
        if settings.metrics_folder is not None:
            path = socket_in(settings.metrics_folder, service, settings.replica)
            path.unlink(missing_ok=True)
            offered[:] = [(service, settings.replica)]
            return await asyncio.start_unix_server(_Server(None).answer, path)
        if settings.metrics_port:
            server = _Server(settings)
            return await asyncio.start_server(
                server.answer, settings.metrics_host, settings.metrics_port
            )
    except OSError as error:
        log.warning("no metrics", port=settings.metrics_port, error=str(error))
    return None


class _Server:
    """Answers `GET /metrics` and nothing else, one request on a connection. `settings` is None on
    the socket: its folder belongs to our account alone."""

    def __init__(self, settings: Settings | None) -> None:
        self.settings = settings

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(head))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _response(self, head: bytes) -> bytes:
        line, *fields = head.split(b"\r\n")
        method, _, rest = line.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics" or method not in (b"GET", b"HEAD"):
            return _response(b"404 Not Found", b"")
        if self.settings is not None and not authorized(self.settings, _authorization(fields)):
            return _response(b"401 Unauthorized", b"", b"www-authenticate: Bearer\r\n")
        body = prometheus_client.generate_latest()
        return _response(b"200 OK", b"" if method == b"HEAD" else body)


def _authorization(fields: list[bytes]) -> bytes:
    for each in fields:
        name, _, value = each.partition(b":")
        if name.lower() == b"authorization":
            return value.strip()
    return b""


def _response(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    kind = prometheus_client.CONTENT_TYPE_LATEST.encode()
    return (
        b"HTTP/1.1 "
        + status
        + b"\r\ncontent-type: "
        + kind
        + b"\r\nconnection: close\r\n"
        + more
        + b"content-length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )
