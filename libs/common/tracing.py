"""Traces by OpenTelemetry. They are off unless the standard variables name an endpoint.

A place that makes spans looks at `recorder` and does nothing else while it is None. OpenTelemetry is
imported when tracing is switched on, so a process without traces neither loads nor calls it.

The trace context is a traceparent in `Context.trace` and `logs.trace`. Its flag says whether the trace is
recorded, which the root span decides once for all processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from common import logs

if TYPE_CHECKING:
    from common.span_recorder import RecordedSpan, SpanRecorder

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SAMPLERS: Final = ("always_on", "always_off", "traceidratio")

recorder: SpanRecorder | None = None
"""Makes spans. None while tracing is off."""


class TracingMisconfigured(Exception):
    """The variables of OpenTelemetry ask for what we cannot do. The text names the variable."""


def is_configured(environment: Mapping[str, str]) -> bool:
    """Returns whether the variables switch tracing on. Raises TracingMisconfigured."""
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter not in ("otlp", "none"):
        raise TracingMisconfigured("OTEL_TRACES_EXPORTER: only otlp and none are possible")
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    endpoints = [environment[name] for name in ENDPOINTS if environment.get(name)]
    if disabled or exporter == "none" or not endpoints:
        return False
    for endpoint in endpoints:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise TracingMisconfigured(
                "OTEL_EXPORTER_OTLP_ENDPOINT: a URL is needed, like http://collector:4318"
            )
    if any(environment.get(name, "") not in ("", "http/protobuf") for name in PROTOCOLS):
        raise TracingMisconfigured("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is possible")
    ratio_of(environment)
    return True


def ratio_of(environment: Mapping[str, str]) -> float:
    """Returns which part of all traces is recorded, from 0 to 1. Raises TracingMisconfigured."""
    sampler = environment.get("OTEL_TRACES_SAMPLER") or SAMPLERS[0]
    sampler = sampler.removeprefix("parentbased_")
    if sampler not in SAMPLERS:
        raise TracingMisconfigured(f"OTEL_TRACES_SAMPLER: possible are {', '.join(SAMPLERS)}")
    try:
        ratio = float(environment.get("OTEL_TRACES_SAMPLER_ARG") or 1.0)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise TracingMisconfigured("OTEL_TRACES_SAMPLER_ARG: a number from 0 to 1 is needed")
    return {"always_on": 1.0, "always_off": 0.0}.get(sampler, ratio)


def start(service: str, replica: str) -> None:
    """Switches tracing on if it is configured. Raises TracingMisconfigured."""
    global recorder
    if is_configured(os.environ):
        from common.span_recorder import SpanRecorder

        recorder = SpanRecorder.start(service, replica, ratio_of(os.environ))


async def stop() -> None:
    """Sends the spans that wait, if the collector takes them at once, and switches tracing off."""
    global recorder
    stopped, recorder = recorder, None
    if stopped is not None:
        await stopped.stop()


def is_recorded(traceparent: str) -> bool:
    """Returns whether the trace is recorded."""
    return traceparent.endswith(logs.SAMPLED)


@contextmanager
def client_span(
    name: str, attributes: Mapping[str, str | int], *, parent: str | None = None
) -> Iterator[RecordedSpan | None]:
    """Records a call to another server as part of the current work, if that is recorded. An exception
    ends it as failed. For calls that are not on the way of every request."""
    span = None
    if recorder is not None:
        span = recorder.client(parent or logs.trace.get(), name, attributes)
    if span is None:
        yield None
        return
    error = ""
    try:
        yield span
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        span.end(error=error)
