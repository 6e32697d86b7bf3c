"""Members of uvicorn that it does not promise to keep. Nothing else in the gateway uses one.

tests/unit/gateway/test_private_members.py says which of them a new version of uvicorn has changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

__all__ = ["HookedProtocol", "RequestResponseCycle", "StoppingState", "new_protocol"]


class StoppingState(ServerState):
    """The state that the connections of a server share, and whether it is about to stop."""

    stops: bool = False
    """Each response says that the connection closes after it."""
    patient: bool = False
    """Whether a request that has begun to arrive may take its time."""
    idle_time: float = 0.0
    """Seconds for which a connection without a request stays open once the server accepts no more."""


class HookedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with hooks for what the gateway needs to know."""

    def cycle_starts(self, cycle: RequestResponseCycle) -> None:
        """Called before the application gets a request."""

    def becomes_idle(self) -> None:
        """Called after a response if no request waits behind it."""

    def on_response_complete(self) -> None:
        """Begins the next request of the pipeline. uvicorn would also start a timer for each response."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.becomes_idle()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.cycle_starts(cycle)
        super()._start_asgi_task(cycle, app)


def new_protocol(server: uvicorn.Server, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
    """Returns the protocol for a connection that the server itself has not accepted."""
    return server.config.http_protocol_class(  # type: ignore[call-arg]
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
        _loop=loop,
    )
