"""When traces are on, where spans go, and that a process without them knows nothing of OpenTelemetry."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from tests.kit.collector import collecting
from tests.kit.instance import environment
from tests.kit.spans import id_of, parent_of, recorded

from common import logs, tracing
from common.context import traced
from common.egress import Egress
from common.outgoing_http import OutgoingHttp, Unreachable
from common.span_exporter import ReportingExporter, resource_of
from common.span_recorder import SpanRecorder
from common.tracing import TracingMisconfigured, is_configured, ratio_of

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.1"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example.com/v1/traces"}, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_TRACES_SAMPLER": "traceidratio"}, True),
    ],
)
def test_an_endpoint_switches_traces_on(variables: dict[str, str], on: bool) -> None:
    """An empty variable is none, as in OpenTelemetry."""
    assert is_configured(variables) is on


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "jaeger"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_TRACES_SAMPLER": "jaeger_remote"},
        {"OTEL_TRACES_SAMPLER_ARG": "10%"},
        {"OTEL_TRACES_SAMPLER_ARG": "2"},
        {"OTEL_TRACES_SAMPLER_ARG": "nan"},
    ],
)
def test_what_we_cannot_do_is_refused_by_name(variables: dict[str, str]) -> None:
    """Otherwise nobody would notice that no trace arrives."""
    with pytest.raises(TracingMisconfigured, match=next(iter(variables))):
        is_configured(ENDPOINT | variables)


@pytest.mark.parametrize(
    ("variables", "ratio"),
    [
        ({}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, 1.0),
    ],
)
def test_the_sampler_is_the_one_of_the_standard(variables: dict[str, str], ratio: float) -> None:
    """A ratio has an effect only with a sampler that has one. Without a sampler all traces are recorded."""
    assert ratio_of(variables) == ratio


async def test_a_ratio_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2,000 traces about a quarter is recorded."""
    spans = recorded(monkeypatch, ratio=0.25)
    chosen = sum(spans.recorder.job("job") is not None for _ in range(2_000))
    await spans.ended()

    assert 350 < chosen < 650  # ten deviations


LOADED = """
import sys
from importlib import import_module
from common import tracing
for name in ("gateway", "identity", "oidc", "rbac", "tenancy"):
    import_module(f"{name}.__main__").SERVICE.warm_up()
tracing.start("gateway", "0")
LOADED = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf")
print(tracing.recorder is None, [n for n in sys.modules if n.startswith(LOADED)])
"""


def test_a_process_without_traces_does_not_load_the_sdk() -> None:
    """None of the services does. FastAPI imports the API of OpenTelemetry, and we do not use that."""
    bare = {name: text for name, text in environment().items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=bare, capture_output=True, text=True, check=False
    )

    assert done.stdout == "True []\n", done.stderr


WRONG_START = """
from common.service import ServiceProgram, run
from common.settings import Settings

run(ServiceProgram("identity", Settings, None))
"""


def test_a_wrong_variable_refuses_the_start() -> None:
    """In one sentence that names it."""
    key = {"AERO2_MASTER_KEY": "k1:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="}
    ended = subprocess.run(
        [sys.executable, "-c", WRONG_START],
        env=environment() | key | ENDPOINT | {"OTEL_TRACES_SAMPLER_ARG": "two"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == "identity: OTEL_TRACES_SAMPLER_ARG: a number from 0 to 1 is needed\n"


def test_each_service_is_a_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    """By our names, unless the standard variables give others."""
    plain = resource_of("identity", "r1").attributes
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sign-in")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    named = resource_of("identity", "r1").attributes

    assert plain["service.name"] == "aero2-identity"
    assert str(plain["service.instance.id"]).endswith("/r1")
    assert named["service.name"] == "sign-in"
    assert named["deployment.environment.name"] == "test"
    assert named["service.namespace"] == "aero2"


async def test_a_span_reaches_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, at the end of a process at the latest. The span has the service of its task."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing.start("together", "0")
        token = logs.service.set("identity")
        try:
            with traced("round"):
                pass
        finally:
            logs.service.reset(token)
        await tracing.stop()

    assert [(span.service, span.name) for span in collector.spans] == [("aero2-identity", "round")]
    assert tracing.recorder is None


async def test_the_end_does_not_wait_for_a_dark_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes connections and answers nothing. OpenTelemetry itself would wait for half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as dark:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dark.getsockname()[1]}"
        )
        tracing.start("identity", "0")
        with traced("round"):
            pass
        began = time.monotonic()
        await tracing.stop()

    assert time.monotonic() - began < 15


class Flaky(SpanExporter):
    """A collector that is away at times."""

    def __init__(self, *results: SpanExportResult) -> None:
        self.results = list(results)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.results.pop(0)


def test_a_collector_that_is_away_is_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it does not answer: the first time, and when it is back, with the lost spans."""
    written: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            written.append((event, fields))

    monkeypatch.setattr("common.span_exporter.log", Log())
    failure, success = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    exporter = ReportingExporter(Flaky(success, failure, failure, success, success))
    spans: Any = [object(), object()]
    for _ in range(5):
        exporter.export(spans)

    assert [event for event, _ in written] == [
        "spans are not sent: the collector does not take them",
        "spans are sent again",
    ]
    assert written[1][1] == {"lost": 4}


async def test_a_call_to_another_server_names_the_server_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the path or query, which may be secret, and the other side gets no trace of ours."""
    spans = recorded(monkeypatch)
    with collecting() as server, traced("job"):
        client = OutgoingHttp(Egress(private=True))
        await client.request("POST", f"{server.url}/secret?x=secret", data={"password": "secret"})
        with pytest.raises(Unreachable):
            await client.request("GET", "http://127.0.0.1:1/secret")
    first, second, job = await spans.ended()

    assert dict(first.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
        "http.response.status_code": 200,
    }
    assert dict(second.attributes or {})["error.type"] == "Unreachable"
    assert (first.kind, job.name) == (SpanKind.CLIENT, "job")
    assert parent_of(first) == id_of(job)
    assert "secret" not in first.to_json() + second.to_json()


async def test_an_outgoing_call_outside_of_a_recorded_trace_has_no_span(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its root decided."""
    spans = recorded(monkeypatch, ratio=0)
    with collecting() as server, traced("job"):
        await OutgoingHttp(Egress(private=True)).request("POST", server.url, data={"a": "b"})

    assert await spans.ended() == []
    assert isinstance(spans.recorder, SpanRecorder)
