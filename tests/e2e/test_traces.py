"""Traces of a running deployment, in a collector of OpenTelemetry."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind
from tests.kit.collector import Collector, ReceivedSpan, collecting
from tests.kit.deployments import SeparateServices, Shape, Together
from tests.kit.log_lines import lines
from tests.kit.nats_server import until
from tests.kit.system import PASSWORD, System, fresh_email

pytestmark = pytest.mark.timeout(300)
SETTINGS = {"AERO2_LIMIT_SCALE": "1000", "AERO2_OPERATOR_MFA": "optional"}
SHAPES: dict[Shape, type[SeparateServices]] = {
    Shape.SEPARATE: SeparateServices,
    Shape.TOGETHER: Together,
}
# The numbers of OTLP are one higher than those of the SDK.
SERVER, CLIENT, PRODUCER = (
    kind.value + 1 for kind in (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER)
)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture(
    scope="module",
    params=[Shape.SEPARATE, pytest.param(Shape.TOGETHER, marks=pytest.mark.long)],
)
def traced(
    request: pytest.FixtureRequest,
    collector: Collector,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """A deployment that records every trace."""
    folder = tmp_path_factory.mktemp("traced") / "data"
    settings = SETTINGS | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-token=secret-of-the-collector",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    running = System(SHAPES[request.param](folder, settings))
    yield running
    running.stop()


async def created_user(system: System, email: str) -> tuple[str, str]:
    """Creates a user by the API. Returns their id and the traceparent of the record."""
    async with system.backend() as api:
        made = await api.post("/api/users", json={"email": email, "password": PASSWORD})
        assert made.status_code == 201, made.text
        page = (await api.get("/api/audit", params={"user_id": made.json()["id"]})).json()
    record = next(row for row in page["audit_logs"] if row["event_type"] == "user_created")
    return made.json()["id"], record["trace"]


async def complete(collector: Collector, trace: str) -> list[ReceivedSpan]:
    """Returns the spans of a request that creates a user, once those of both processes are there."""

    def is_complete() -> bool:
        spans = collector.trace(trace)
        answers = {span.name for span in spans if span.kind == SERVER}
        return {"POST /api/users", "identity.user.create"} <= answers

    await until(is_complete)
    return collector.trace(trace)


def one(spans: list[ReceivedSpan], **facts: object) -> ReceivedSpan:
    """Returns the only span with these facts."""
    (found,) = [
        span for span in spans if all(getattr(span, name) == it for name, it in facts.items())
    ]
    return found


async def test_a_request_is_one_trace_over_all_processes(
    traced: System, collector: Collector
) -> None:
    """HTTP, the call to identity, its answer, its statements and COMMIT, and the way of the record to the
    stream. Each span has its parent, and the record names the span of the handler that wrote it."""
    _, traceparent = await created_user(traced, fresh_email())
    trace, writer = traceparent[3:35], traceparent[36:52]

    await complete(collector, trace)
    await until(
        lambda: any(
            span.kind == PRODUCER and span.parent == writer for span in collector.trace(trace)
        )
    )
    spans = collector.trace(trace)
    http = one(spans, name="POST /api/users")
    call = one(spans, name="identity.user.create", kind=CLIENT)
    answer = one(spans, name="identity.user.create", kind=SERVER)
    statements = [span for span in spans if "db.system.name" in span.attributes]
    publication = one(spans, kind=PRODUCER, parent=answer.id)

    assert (http.service, http.parent, http.kind) == ("aero2-gateway", "", SERVER)
    assert http.attributes["http.response.status_code"] == 201
    assert (call.service, call.parent) == ("aero2-gateway", http.id)
    assert (answer.service, answer.parent) == ("aero2-identity", call.id)
    assert traceparent.endswith("-01")
    assert answer.id == writer
    own = [span for span in statements if span.parent == answer.id]
    assert {"aero2-identity"} == {span.service for span in own}
    assert [span.name for span in own if span.name.startswith("identity.queries.")], own
    assert "COMMIT" in {span.name for span in own}
    assert publication.service == "aero2-identity"
    assert publication.attributes["messaging.destination.name"] == "AUDIT"
    ids = {span.id for span in spans}
    assert [span for span in spans if span.parent and span.parent not in ids] == []
    assert len([span for span in spans if not span.parent]) == 1


async def test_a_refusal_is_no_failure_and_is_named(traced: System, collector: Collector) -> None:
    """The outcome of a call is its status. Only faults of ours are errors of a span that answers."""
    email = fresh_email()
    await created_user(traced, email)
    async with traced.backend() as api:
        again = await api.post("/api/users", json={"email": email, "password": PASSWORD})
        trace = again.json()["instance"].rpartition(":")[2]
    spans = await complete(collector, trace)

    answer = one(spans, name="identity.user.create", kind=SERVER)
    assert answer.attributes["rpc.response.status_code"] == "email_taken"
    assert not answer.failed
    assert not one(spans, name="POST /api/users").failed


async def test_a_strangers_trace_is_a_link(traced: System, collector: Collector) -> None:
    """A client cannot choose the trace of its request, and its flag decides nothing."""
    theirs = "4ba94d6b8eaf052ccf1809c98d6b2053"
    async with traced.backend() as api:
        await api.get("/api/roles", headers={"traceparent": f"00-{theirs}-00f067aa0ba902b7-00"})
    await until(lambda: any(span.links == [theirs] for span in list(collector.spans)))

    assert collector.trace(theirs) == []
    (linked,) = [span for span in collector.spans if span.links == [theirs]]
    assert (linked.parent, linked.name) == ("", "GET /api/roles")


async def test_nothing_secret_is_in_a_span(traced: System, collector: Collector) -> None:
    """A sign-up by mail, a sign-in, tokens and keys: no attribute, name or resource has an address, a
    password, a code, a session, a token, a key or the address of the client."""
    email = fresh_email()
    demo = traced.demo
    secrets = [email, email.partition("@")[0], PASSWORD, demo["secret_key"], "127.0.0.1"]
    secrets += [demo["publishable_key"], "secret-of-the-collector", "stolen-code"]
    async with traced.browser() as ada:
        await ada.sign_up(email, PASSWORD)
        secrets += [cookie.value for cookie in ada.http.cookies.jar if cookie.value]
        secrets.append(await traced.mailed_code(email))
        await ada.http.get("/api/auth/session")
        form = {"grant_type": "authorization_code", "code": "stolen-code", "client_id": "x"}
        await ada.http.post("/oauth2/token", data=form)
        await ada.http.get("/nothing/stolen-code", params={"token": "stolen-code"})
    await until(lambda: any(span.name == "SMTP" for span in list(collector.spans)))
    await asyncio.sleep(0.5)  # for the last ones

    sent = [
        (span.name, secret)
        for span in list(collector.spans)
        for secret in secrets
        if secret in span.text.replace("server.address", "") and span.name != "SMTP"
    ]
    assert sent == []
    smtp = [span for span in collector.spans if span.name == "SMTP"]
    assert [span for span in smtp if email in span.text or PASSWORD in span.text] == []
    assert {span.service for span in collector.spans} >= {"aero2-gateway", "aero2-oidc"}


async def test_log_lines_name_the_span(traced: System, collector: Collector) -> None:
    """From a line of a service to its span."""
    _, traceparent = await created_user(traced, fresh_email())

    def served() -> list[object]:
        return [
            line["span"]
            for line in lines(traced.deployment.folder)
            if line["event"] == "served"
            and line["contract"] == "identity.user.create"
            and line["trace"] == traceparent[3:35]
        ]

    await until(lambda: bool(served()))
    assert served() == [traceparent[36:52]]


@pytest.fixture
async def dark_collector() -> AsyncIterator[str]:
    """An address that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.long
async def test_a_dark_collector_delays_no_answer_and_no_end(
    dark_collector: str, tmp_path: Path
) -> None:
    """Requests are answered, and at SIGTERM every process ends by itself, although the collector takes
    spans and never answers."""
    settings = SETTINGS | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": dark_collector,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "30",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",  # so that spans wait at the end
    }
    deployment = SeparateServices(tmp_path / "data", settings)
    try:
        await created_user(System(deployment), fresh_email())
    finally:
        deployment.instance.stop(signal.SIGTERM)

    late = [
        line
        for line in lines(deployment.folder)
        if line["event"] == "the last spans were not sent in time"
    ]
    assert {"gateway", "identity"} <= {line["service"] for line in late}
    assert deployment.instance.process is not None
    assert deployment.instance.process.returncode == 0
