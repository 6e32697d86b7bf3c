"""Makes this gateway known on the bus (NATS ADR-32), so that every gateway can list all of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import nats.micro
from nats.aio.client import Client
from nats.micro.request import Request
from nats.micro.service import EndpointStats

from common.version import VERSION
from gateway.served_requests import ServedRequests

NAME: Final = "gateway"
SUBJECT: Final = "gateway.http"
"""The subject of the one endpoint, whose figures are those of HTTP. Nobody may call it."""


async def announce(nc: Client, served: ServedRequests, replica: str) -> str:
    """Answers questions for figures from now on. Returns the id of this gateway on the bus."""

    def complete(stats: EndpointStats) -> None:
        stats.num_requests, stats.num_errors = served.requests, served.errors
        stats.average_processing_time = int((served.mean_ms or 0) * 1e6)
        stats.processing_time = stats.average_processing_time * served.requests

    service = await nats.micro.add_service(
        nc,
        name=NAME,
        version=VERSION,
        queue_group=NAME,
        metadata={"replica": replica},
        stats_handler=complete,
    )
    await service.add_endpoint(name="http", subject=SUBJECT, handler=_refuse)
    return service.id


async def _refuse(message: Request) -> None:
    await message.respond_error(str(int(HTTPStatus.NOT_FOUND)), "not_found")
