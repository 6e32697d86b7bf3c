"""Spans of this process in memory, and the calls that tracing costs while it is off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from common import tracing
from common.span_recorder import SpanRecorder

OF_TRACING = ("/common/tracing.py", "/common/traced_", "/common/span_", "/opentelemetry/")


@contextmanager
def calls_of_tracing() -> Iterator[list[str]]:
    """Collects every function of tracing that is called in this thread."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and any(part in file for part in OF_TRACING):
            calls.append(f"{file.rpartition('/')[2]}:{frame.f_code.co_name}")

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@dataclass
class Spans:
    """A recorder, and the spans that have ended."""

    recorder: SpanRecorder
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    async def ended(self) -> list[ReadableSpan]:
        """Returns the spans, in the order of their ends. Nothing is recorded after that."""
        await self.recorder.stop()
        return list(self.exporter.get_finished_spans())


def recorded(monkeypatch: pytest.MonkeyPatch, ratio: float = 1.0) -> Spans:
    """Switches tracing on for a test, and records this part of all traces."""
    exporter = InMemorySpanExporter()
    spans = Spans(SpanRecorder("0", exporter, ratio), exporter)
    monkeypatch.setattr(tracing, "recorder", spans.recorder)
    return spans


def parent_of(span: ReadableSpan) -> int:
    """Returns the id of the parent, or 0."""
    return span.parent.span_id if span.parent else 0


def id_of(span: ReadableSpan) -> int:
    """Returns the id of a span."""
    assert span.context is not None
    return int(span.context.span_id)
