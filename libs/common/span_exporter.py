"""Where spans go: the collector that the variables of OpenTelemetry name."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from common import logs
from common.version import VERSION

log = logs.get(__name__)

TIMEOUT: Final = 2.0
"""Seconds for one batch, unless a variable says otherwise."""
TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")


def span_exporter() -> SpanExporter:
    """Returns the exporter. It reads endpoint, headers, certificates and compression from the
    environment, as OpenTelemetry documents."""
    is_set = any(os.environ.get(name) for name in TIMEOUTS)
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # we report it once
    return ReportingExporter(OTLPSpanExporter(timeout=None if is_set else TIMEOUT))


def resource_of(service: str, replica: str) -> Resource:
    """Returns who makes the spans of a service. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go
    before our own names."""
    own = Resource(
        {
            "service.name": f"aero2-{service}",
            "service.namespace": "aero2",
            "service.version": VERSION,
            "service.instance.id": f"{socket.gethostname()}/{replica}",
        }
    )
    return Resource.create().merge(own).merge(OTELResourceDetector().detect())


class ReportingExporter(SpanExporter):
    """Sends spans by another exporter. It logs the first failure, and the first success after it with
    the number of lost spans. A collector that is away must not fill the log."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends spans, or loses them."""
        result = self._inner.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("spans are not sent: the collector does not take them")
            self._lost += len(spans)
        elif self._lost:
            log.warning("spans are sent again", lost=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """Closes the connection."""
        self._inner.shutdown()
