"""Calls between services with a span for each."""

from __future__ import annotations

from typing import Any

from common import tracing
from common.bus import NatsBus
from common.context import Context
from common.contracts.base import Request
from common.in_process_bus import InProcessBus, SharedProcess
from common.nats_client import NatsClient
from common.problems import Problem


class TracedBus(NatsBus):
    """A bus that records its calls. Retries are part of the call."""

    async def raw(self, ctx: Context, request: Request[Any]) -> bytes:
        """Returns the reply as JSON. Raises what `call` raises."""
        recorder = tracing.recorder
        span = None if recorder is None else recorder.call(ctx.trace, request.subject)
        if span is None:
            return await super().raw(ctx, request)
        error = ""
        try:
            return await super().raw(ctx.with_trace(span.traceparent), request)
        except Problem as problem:
            error = problem.code
            raise
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            span.end({"rpc.response.status_code": error or "ok"}, error=error)


class TracedInProcessBus(TracedBus, InProcessBus):
    """The same in a process of several services."""


def bus_of(nc: NatsClient, process: SharedProcess | None) -> NatsBus:
    """Returns the bus of a process. It makes spans only if tracing is on."""
    if tracing.recorder is None:
        return NatsBus(nc) if process is None else InProcessBus(nc, process)
    return TracedBus(nc) if process is None else TracedInProcessBus(nc, process)
