"""Services in one process, as `aero2 serve` composes them, but without NATS."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from tests.kit.deployments import Shape

from common.bus import Handler, encode_request
from common.bus_server import BusServer
from common.context import Context
from common.contracts.base import Request
from common.in_process_bus import InProcessBus, SharedProcess
from common.testing import LocalBus

NewBus = Callable[[], LocalBus]
CONNECTED: Final[Any] = SimpleNamespace(is_connected=True, is_usable=True, max_payload=1 << 20)
"""A connection to NATS that nobody may use."""


class SharedProcessBus(LocalBus):
    """A LocalBus whose requests go through the product's InProcessBus and its BusServer: queue, limits,
    contexts, and replies as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._process = SharedProcess()
        self._bus = InProcessBus(CONNECTED, self._process)

    def serve(self, deps: Any, handlers: dict[type[Request[Any]], Handler]) -> None:
        """Registers handlers with their dependencies, as one service."""
        super().serve(deps, handlers)
        service: Any = SimpleNamespace()
        self._process.add(BusServer(CONNECTED, service, deps, handlers=dict(handlers)))

    async def deliver(self, subject: str, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply of the serving side to a message on `subject`, for any caller in the
        context."""
        return await self._bus.send_once(ctx, type(request), subject, encode_request(request))


def bus_of(shape: Shape) -> NewBus:
    """Returns how the services of one test process reach each other in a shape."""
    return SharedProcessBus if shape is Shape.TOGETHER else LocalBus
