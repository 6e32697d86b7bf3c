"""Makes spans of our work and sends them to a collector, by OpenTelemetry over OTLP and HTTP.

Only `common.tracing` imports this module, if tracing is configured. Names and attributes follow the
semantic conventions of OpenTelemetry where these are stable. No attribute comes from a body, a header, a
query, a parameter of a statement or a message of an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import orjson
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from common import logs
from common.span_exporter import resource_of, span_exporter
from common.version import VERSION

log = logs.get(__name__)

Attributes = Mapping[str, str | int]

WHOLE: Final = 2**64
"""Numbers of which one is drawn for each trace."""
FLUSH: Final = 0.7
"""Seconds that the end of a process waits for its last spans. `aero2 up` gives each stage of its end 0.8
seconds at least, and then kills. The collector may be away."""


class RecordedSpan:
    """A span that has begun. Others become its children by its traceparent."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        context = span.get_span_context()
        self._span = span
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}{logs.SAMPLED}"

    def set(self, attributes: Attributes) -> None:
        """Adds attributes."""
        self._span.set_attributes(attributes)

    def end(self, attributes: Attributes | None = None, *, name: str = "", error: str = "") -> None:
        """Ends the span. `error` is the code of a fault of ours, or the class of an exception."""
        if attributes:
            self._span.set_attributes(attributes)
        if name:
            self._span.update_name(name)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class SpanRecorder:
    """Makes the spans of one process. Each of its services is a resource of its own."""

    def __init__(self, replica: str, exporter: SpanExporter, ratio: float) -> None:
        self._below = round(ratio * WHOLE)
        self._replica = replica
        self._processor = BatchSpanProcessor(exporter)
        self._tracers: dict[str, Tracer] = {}

    @classmethod
    def start(cls, service: str, replica: str, ratio: float) -> SpanRecorder:
        """Returns a recorder that sends spans to the configured collector. `ratio` is the part of all
        traces that is recorded."""
        recorder = cls(replica, span_exporter(), ratio)
        recorder.tracer(service)
        return recorder

    def tracer(self, service: str) -> Tracer:
        """Returns the tracer of a service of this process."""
        tracer = self._tracers.get(service)
        if tracer is None:
            provider = TracerProvider(
                sampler=ALWAYS_ON,
                resource=resource_of(service, self._replica),
                shutdown_on_exit=False,
            )
            provider.add_span_processor(self._processor)
            tracer = self._tracers[service] = provider.get_tracer("aero2", VERSION)
        return tracer

    # Roots: here it is decided whether a trace is recorded.

    def http_request(self, method: str, link: str | None) -> RecordedSpan | None:
        """Begins the trace of a request. `link` is the traceparent of a client, who decides nothing.
        Returns None if the trace is not recorded."""
        if not self._is_chosen():
            return None
        links = [Link(_span_context(link))] if link else []
        return self._start(
            "HTTP",
            SpanKind.SERVER,
            Context(),
            attributes={"http.request.method": method},
            links=links,
        )

    def job(self, name: str) -> RecordedSpan | None:
        """Begins the trace of work that no request caused. Returns None if it is not recorded."""
        if not self._is_chosen():
            return None
        return self._start(name, SpanKind.INTERNAL, Context(), attributes={})

    def _is_chosen(self) -> bool:
        """Decides whether the next trace is recorded. The sampler of the SDK would make a span first, which
        cost a third of a cheap request."""
        return int.from_bytes(os.urandom(8)) < self._below

    # Children: of a trace that is recorded. Each returns None for another one.

    def call(self, parent: str, contract: str) -> RecordedSpan | None:
        """Begins a call to another service."""
        return self._child(parent, contract, SpanKind.CLIENT, _rpc(contract))

    def serve(self, parent: str, contract: str) -> RecordedSpan | None:
        """Begins the answer to a call."""
        return self._child(parent, contract, SpanKind.SERVER, _rpc(contract))

    def client(self, parent: str, name: str, attributes: Attributes) -> RecordedSpan | None:
        """Begins a call to a server that is none of ours."""
        return self._child(parent, name, SpanKind.CLIENT, attributes)

    def publication(
        self, payloads: Iterable[bytes], destination: str, message: str
    ) -> list[RecordedSpan]:
        """Begins the way of events to the stream: a span in the trace of each request that wrote some of
        them. A message has events of many requests, and so no parent of its own."""
        attributes: dict[str, str | int] = {
            "messaging.system": "nats",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
            "messaging.destination.name": destination,
            "messaging.message.id": message,
        }
        parents = set(map(_trace_of, payloads))
        spans = (
            self._child(parent, f"publish {destination}", SpanKind.PRODUCER, attributes)
            for parent in sorted(parents)
        )
        return [span for span in spans if span is not None]

    def _child(
        self, parent: str, name: str, kind: SpanKind, attributes: Attributes
    ) -> RecordedSpan | None:
        if len(parent) != logs.TRACEPARENT or not parent.endswith(logs.SAMPLED):
            return None
        context = set_span_in_context(NonRecordingSpan(_span_context(parent)), Context())
        return self._start(name, kind, context, attributes=attributes)

    def _start(
        self,
        name: str,
        kind: SpanKind,
        context: Context,
        *,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> RecordedSpan:
        tracer = self.tracer(logs.service.get() or logs.process.service)
        return RecordedSpan(tracer.start_span(name, context, kind, attributes, links))

    async def stop(self) -> None:
        """Sends the spans that wait, FLUSH seconds at most. Others are lost: the end of a process does not
        wait for a collector that is away."""
        loop = asyncio.get_running_loop()
        sent = asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(sent.set)

        # A thread that the interpreter does not wait for, unlike those of asyncio.to_thread.
        threading.Thread(target=shut_down, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH):
                await sent.wait()
        except TimeoutError:
            log.warning("the last spans were not sent in time")


def _trace_of(payload: bytes) -> str:
    """Returns the traceparent of an event, or an empty text if it has none."""
    with contextlib.suppress(orjson.JSONDecodeError):
        event = orjson.loads(payload)
        if isinstance(event, dict):
            return str(event.get("trace") or "")
    return ""


def _rpc(contract: str) -> dict[str, str | int]:
    return {"rpc.system.name": "nats", "rpc.method": contract}


def _span_context(traceparent: str) -> SpanContext:
    """Returns the context of a well-formed traceparent."""
    return SpanContext(
        int(traceparent[3:35], 16),
        int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )
