"""Crowds and hostile clients: limits hold, others are served, and everything works afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.kit.deployments import Shape
from tests.kit.fault_report import FaultReport
from tests.kit.history import Act
from tests.kit.recorded_load import RecordedLoad
from tests.kit.strict_client import StrictClient
from tests.kit.system import PASSWORD, System, fresh_email

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CROWD = 400
"""Sign-ins at once: more than the queue of password hashes holds."""
SLOW = 200
"""Connections that never finish a request."""
PATIENCE = 60.0


@pytest.fixture(scope="module")
def crowded(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A deployment of these tests' own. Its limits of an address are wide, so that its queues are tried."""
    running = System.start(shape, tmp_path_factory.mktemp("crowded") / "data")
    yield running
    running.stop()


@pytest.mark.fault("F25")
async def test_hundreds_sign_in_at_once(crowded: System, fault: FaultReport) -> None:
    """Hashing is bounded: a sign-in without a place is refused with 429 or 503 and Retry-After. Meanwhile every
    refresh and every check of a session succeeds. Afterwards all can sign in."""
    fault.watch(crowded)
    email = fresh_email("herd")
    new = {"email": email, "email_verified": True, "password": PASSWORD}
    async with crowded.backend() as api:
        assert (await api.post("/api/users", json=new)).status_code == 201
    load = RecordedLoad(crowded, workers=1, kinds=("refreshes", "lists"), history=fault.history)
    seen: Counter[int] = Counter()

    async def sign_in() -> None:
        operation = fault.history.invoke("sign-ins", Act.ASK)
        client = StrictClient(crowded.deployment.port, f"demo.{crowded.domain}", keeps=False)
        content, headers = (
            {"email": email, "password": PASSWORD},
            {"origin": crowded.origin("demo")},
        )
        answer = await client.ask("POST", "/api/auth/signin", content=content, headers=headers)
        client.close()
        seen[answer.status] += 1
        if answer.status == 200:
            operation.ok()
            return
        operation.refused(answer.status, answer.body)
        assert answer.status in (429, 503, 504), answer.body
        assert answer.status == 504 or "retry-after" in answer.headers

    async with load.running():
        fault.strike()
        await asyncio.gather(*(sign_in() for _ in range(CROWD)))
        await fault.works_again(load.kinds)
    assert load.wrong == []
    assert {kind: set(answers) for kind, answers in load.statuses.items()} == {
        "refreshes": {"ok"},
        "lists": {"ok"},
    }
    assert seen[200] > 0
    assert seen.total() == CROWD
    before = seen[200]
    await sign_in()
    assert seen[200] == before + 1
    await fault.settle()


@asynccontextmanager
async def connected(
    system: System,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", system.deployment.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def everything(system: System, request: bytes) -> bytes:
    """Sends bytes, and returns what comes until the server ends the connection."""
    async with connected(system) as (reader, writer), asyncio.timeout(PATIENCE):
        try:
            writer.write(request)
            await writer.drain()
            writer.write_eof()
            return await reader.read()
        except (ConnectionError, OSError):
            return b""


HOST = b"Host: demo.localhost\r\n"
ENDS = b"0\r\n\r\n"
SECOND = b"GET /api/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
HOSTILE = {
    "100,000 headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 100_000 + b"\r\n",
    "a cookie of 1 MB": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Cookie: a="
    + b"x" * 1_000_000
    + b"\r\n\r\n",
    "a path of 1 MB": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SECOND
    ),
    "length and chunks": (
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        + ENDS
        + SECOND
    ),
    "an unknown coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + ENDS + SECOND
    ),
    "a blank before the colon": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n" + ENDS + SECOND
    ),
    "a length that is no number": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello" + SECOND
    ),
}
"""Requests that a proxy and a server may read differently, or that cost much to read."""


@pytest.mark.fault("F33")
@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_request_is_refused(crowded: System, fault: FaultReport, case: str) -> None:
    """It gets at most one answer, which is a refusal, and the connection ends: what follows is never read as a
    request. Others are served."""
    fault.watch(crowded)
    operation = fault.history.invoke("hostile requests", Act.ASK)
    answer = await everything(crowded, HOSTILE[case])
    operation.fail()

    assert answer.count(b"HTTP/1.1 ") <= 1, answer[:600]
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert b"smuggled" not in answer
    async with crowded.backend() as api:
        assert (await api.get("/api/users")).status_code == 200
    await fault.settle()


@pytest.mark.fault("F33")
async def test_connections_that_never_finish(crowded: System, fault: FaultReport) -> None:
    """Hundreds of connections send a part of a request and then nothing. Everybody else is served, without one
    refusal."""
    fault.watch(crowded)
    slow = []
    for number in range(SLOW):
        _, writer = await asyncio.open_connection("127.0.0.1", crowded.deployment.port)
        writer.write(
            b"POST /oauth2/token HTTP/1.1\r\n" + HOST + b"Content-Length: 99\r\n" * (number % 2)
        )
        slow.append(writer)
    load = RecordedLoad(
        crowded, workers=1, kinds=("tokens", "lists", "users"), history=fault.history
    )
    async with load.running():
        await load.works_again(times=10)
    for writer in slow:
        writer.close()
    assert {kind: set(answers) for kind, answers in load.statuses.items()} == {
        kind: {"ok"} for kind in load.kinds
    }
    await load.compare()
    await fault.settle()


@pytest.mark.fault("F34")
async def test_one_application_takes_all_it_can(crowded: System, fault: FaultReport) -> None:
    """Sixty clients of one application send without pause. Another application is served in its turn: none of
    its requests is refused, and the flood is answered or refused cleanly."""
    fault.watch(crowded)
    flooding, noisy = True, Counter[int]()

    async def flood() -> None:
        async with crowded.backend(timeout=PATIENCE) as api:
            while flooding:
                noisy[(await api.get("/api/users?limit=100")).status_code] += 1

    tasks = [asyncio.create_task(flood()) for _ in range(60)]
    headers = {"authorization": f"Bearer {crowded.deployment.operator_key()}"}
    try:
        async with crowded.http("dashboard", headers=headers, timeout=PATIENCE) as quiet:
            for _ in range(50):
                operation = fault.history.invoke("requests of the quiet one", Act.READ, "its users")
                answer = await quiet.get("/api/users?limit=1")
                assert answer.status_code == 200, answer.text
                operation.ok(None)
    finally:
        flooding = False
        await asyncio.gather(*tasks)
    assert noisy.keys() <= {200, 429, 503}, noisy
    assert noisy[200] > 50
    await fault.settle()
