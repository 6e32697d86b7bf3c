"""The NATS server refuses every subject that deploy/nats.conf does not allow to a user.

A service believes the caller in a context because NATS says who sent the message. So no service may
answer as another one, send a contract that its code never sends, or read the replies to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import nats.errors
import orjson
import pytest
from tests.architecture.source import contracts
from tests.kit.nats_server import NatsServer, free_port, until

from aero2 import nats_access
from common.audit import STREAM
from common.bus import SYSTEM_SUBJECT, NatsBus
from common.bus_server import BusServer
from common.context import EVERYTHING, HEADER, SYSTEM_CALLER, Caller, Context
from common.contracts.assignments import AssignRole
from common.contracts.base import Done, Request
from common.contracts.rights import GetRights, Rights
from common.contracts.roles import SeedRoles
from common.contracts.sessions import CheckSession, EndSession, Session
from common.contracts.users import CreateUser
from common.ids import DASHBOARD, new_id
from common.nats_client import NatsClient
from common.outbox import ensure_stream
from common.problems import TooLate
from common.testing import context
from gateway.service_discovery import SERVICES, ServiceDiscovery

USERS = (*nats_access.SERVICES, nats_access.CLI)


@dataclass
class Seat:
    """A connection as one of the users, and the subjects that the server refused it."""

    nc: NatsClient
    refused: list[str] = field(default_factory=list)

    async def errors_so_far(self) -> list[str]:
        await self.nc.flush()
        await asyncio.sleep(0.02)
        return self.refused


Sit = Callable[[str], Awaitable[Seat]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server with the configuration of the product."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    listen = (
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{folder / "jetstream"}", max_file_store: 100MB, sync_interval: always }}'
    )
    config = folder / "nats.conf"
    config.write_text(nats_access.configuration({u: f'"{u}-pw"' for u in USERS}, server=listen))
    server = NatsServer(folder, port, config)
    server.launch()
    yield server
    server.stop()


@pytest.fixture
async def sit(guarded: NatsServer) -> AsyncIterator[Sit]:
    open_: list[NatsClient] = []

    async def seat(user: str) -> Seat:
        refused: list[str] = []

        async def heard(error: Exception) -> None:
            refused.append(str(error))

        nc = await guarded.connect(
            user=user,
            password=f"{user}-pw",
            inbox_prefix=nats_access.inbox(user),
            error_cb=heard,
        )
        open_.append(nc)
        return Seat(nc, refused)

    yield seat
    for nc in open_:
        await nc.close()


async def test_nobody_comes_in_without_a_password(guarded: NatsServer) -> None:
    """A connection without a user or with a wrong password is refused."""
    for options in ({}, {"user": "gateway", "password": "identity-pw"}):
        with pytest.raises((nats.errors.Error, OSError)):  # noqa: PT012 - closes what opens
            nc = await guarded.connect(
                max_reconnect_attempts=1, allow_reconnect=False, connect_timeout=1, **options
            )
            await nc.close()


@pytest.mark.parametrize("user", USERS)
async def test_a_service_asks_what_its_code_asks(user: str, sit: Sit) -> None:
    """A service may send exactly the contracts that `rights` lists, for a caller and as the system."""
    seat = await sit(user)
    may = set(nats_access.rights(user).publish)
    every = {*contracts(), *(SYSTEM_SUBJECT + subject for subject in contracts())}
    for subject in every:
        await seat.nc.publish(subject, b"")
    refused = await seat.errors_so_far()
    denied = {s for s in every if any(f'"{s}"' in text.lower() for text in refused)}

    assert denied == every - may


def test_the_gateway_as_the_system_only_looks_things_up() -> None:
    """The gateway may send no contract as the system that changes anything."""
    calls = {s for s in nats_access.rights("gateway").publish if s.startswith(SYSTEM_SUBJECT)}

    assert calls == {
        "system.identity.queue.get",
        "system.oidc.origin.list",
        "system.rbac.rights.get",
        "system.tenancy.application.tenant",
        "system.tenancy.domain.allow",
    }


SECRET_KEY = Caller("secret_key", new_id(), EVERYTHING)


@pytest.mark.parametrize(
    ("user", "contract", "caller", "subject"),
    [
        ("gateway", CreateUser(email="eve@example.com"), SYSTEM_CALLER, CreateUser.subject),
        (
            "identity",
            AssignRole(user_id=new_id(), role_id="admin"),
            SECRET_KEY,
            SYSTEM_SUBJECT + AssignRole.subject,
        ),
    ],
)
async def test_a_caller_has_the_subject_of_its_kind(
    user: str, contract: Request[Any], caller: Caller, subject: str, sit: Sit
) -> None:
    """The gateway may create a user, but not as the system. Identity may assign a role as the
    system, but not as a secret key. The handler does not run."""
    owner = subject.removeprefix(SYSTEM_SUBJECT).partition(".")[0]
    sender, serving = await sit(user), await sit(owner)
    served: list[object] = []

    async def handle(*of: object) -> Done:
        served.append(of)
        return Done()

    server = await BusServer.start(serving.nc, owner, "0.1.0", None)
    await server.add(type(contract), handle)
    await serving.nc.flush()
    header = {HEADER: context(DASHBOARD, caller).encode()}
    answer = await sender.nc.request(subject, b"{}", timeout=3, headers=header)

    assert orjson.loads(answer.data)["code"] == "forbidden"
    assert served == []
    assert await sender.errors_so_far() == []


@pytest.mark.parametrize("user", nats_access.SERVICES)
async def test_a_service_answers_only_its_own(user: str, sit: Sit) -> None:
    """No service can join the queue group of another one and answer for it."""
    seat = await sit(user)
    others = [name for name in nats_access.SERVICES if name not in (user, "gateway")]
    for other in others:
        await seat.nc.subscribe(f"{other}.>", queue=other)
        await seat.nc.subscribe(f"{other}.session.check", queue=other)
        await seat.nc.subscribe(f"{SYSTEM_SUBJECT}{other}.>", queue=other)
    refused = await seat.errors_so_far()

    assert len(refused) == 3 * len(others), refused


@pytest.mark.parametrize("user", USERS)
async def test_nobody_reads_anothers_replies(user: str, sit: Sit) -> None:
    """A user cannot read the inbox of another user, `_INBOX`, or all subjects."""
    seat = await sit(user)
    others = [nats_access.inbox(name) for name in USERS if name != user]
    wanted = [*(f"{inbox}.>" for inbox in others), "_INBOX.>", ">", "*.>"]
    for subject in wanted:
        await seat.nc.subscribe(subject)
    refused = await seat.errors_so_far()

    assert len(refused) == len(wanted), refused


@pytest.mark.parametrize("user", USERS)
async def test_a_service_publishes_events_under_its_own_name(user: str, sit: Sit) -> None:
    """A service can publish events only under its own name, so readers know which service an event
    is from."""
    seat = await sit(user)
    foreign = [
        f"audit.{name}.{DASHBOARD}.{kind}"
        for name in USERS
        for kind in ("batch", "activity")
        if name != user
    ]
    for subject in (*foreign, f"audit.{DASHBOARD}.batch"):
        await seat.nc.publish(subject, b"{}")
    refused = await seat.errors_so_far()

    assert len(refused) == len(foreign) + 1, refused


@pytest.mark.parametrize("user", nats_access.SERVICES)
async def test_nobody_takes_the_stream_away(user: str, sit: Sit) -> None:
    """A service may write to the stream. It cannot delete or change anything in it."""
    seat = await sit(user)
    verbs = ["DELETE", "PURGE", "UPDATE", "MSG.DELETE", "SNAPSHOT", "RESTORE"]
    if user == "tenancy":  # erases the messages of a deleted application
        verbs.remove("PURGE")
    for verb in verbs:
        await seat.nc.publish(f"$JS.API.STREAM.{verb}.{STREAM}", b"{}")
    await seat.nc.publish("$SYS.REQ.SERVER.PING", b"")
    refused = await seat.errors_so_far()

    assert len(refused) == len(verbs) + 1, refused


async def test_an_answer_comes_through(sit: Sit) -> None:
    """Calls, replies and invalidations that are allowed work without one refusal."""
    gateway, identity = await sit("gateway"), await sit("identity")
    await ensure_stream(identity.nc.jetstream())

    async def check(*_: object) -> Session:
        raise TooLate("as a problem crosses, so does an answer")

    server = await BusServer.start(identity.nc, "identity", "0.1.0", None)
    await server.add(CheckSession, check)
    await identity.nc.flush()
    with pytest.raises(TooLate, match="as a problem"):
        await NatsBus(gateway.nc).call(context(DASHBOARD), CheckSession(token="x"))
    heard = asyncio.Event()

    async def drop(_: object) -> None:
        heard.set()

    await gateway.nc.subscribe("changed.>", cb=drop)
    await gateway.nc.flush()
    await identity.nc.publish(f"changed.{DASHBOARD}.session.all", b"*")
    await until(heard.is_set)
    ack = await identity.nc.jetstream().publish(f"audit.identity.{DASHBOARD}.batch", b"{}")
    found = await gateway.nc.jetstream().get_msg(
        STREAM, seq=ack.seq, subject=f"audit.*.{DASHBOARD}.>", next=True
    )

    assert found.data == b"{}"
    assert await gateway.errors_so_far() == []
    assert await identity.errors_so_far() == []


async def test_only_the_gateway_asks_all_services_for_figures(sit: Sit) -> None:
    """The gateway asks every service for figures and gets the replies. It asks nothing else of that
    kind, and no other service asks at all."""
    gateway, seats = await sit("gateway"), [await sit(name) for name in SERVICES]
    for seat, name in zip(seats, SERVICES, strict=True):
        await BusServer.start(seat.nc, name, "0.1.0", None)
        await seat.nc.flush()
    instances = await ServiceDiscovery().instances(gateway.nc)
    for seat in seats:
        await seat.nc.publish("$SRV.STATS", b"")
    for subject in ("$SRV.PING", "$SRV.STATS.identity", "$SRV.INFO.identity.x"):
        await gateway.nc.publish(subject, b"")

    assert {one.service for one in instances if one.answers} == set(SERVICES)
    assert len(await gateway.errors_so_far()) == 3
    for seat in seats:
        assert len(await seat.errors_so_far()) == 1


async def test_what_is_refused_does_not_arrive(sit: Sit) -> None:
    """rbac sends a call as the system to end a session. Identity does not receive it."""
    rbac, identity = await sit("rbac"), await sit("identity")
    served: list[object] = []

    async def end(_: Any, __: Context, request: Any) -> Any:
        served.append(request)
        raise AssertionError("never")

    server = await BusServer.start(identity.nc, "identity", "0.1.0", None)
    await server.add(EndSession, end)
    await identity.nc.flush()
    assert SYSTEM_SUBJECT + EndSession.subject not in nats_access.rights("rbac").publish
    with pytest.raises(TooLate):
        await NatsBus(rbac.nc).call(
            context(DASHBOARD, SYSTEM_CALLER, within=0.5), EndSession(session_id=new_id())
        )

    assert served == []


async def test_an_answer_goes_to_who_asked_and_once(sit: Sit) -> None:
    """With `allow_responses` a service may send one reply to each request, and publish nothing
    else."""
    gateway, rbac = await sit("gateway"), await sit("rbac")

    async def chatty(msg: object) -> None:
        reply = msg.reply  # type: ignore[attr-defined]
        await rbac.nc.publish(reply, Rights().model_dump_json().encode())
        await rbac.nc.publish(reply, b"once more")
        await rbac.nc.publish(f"{nats_access.inbox('gateway')}.x", b"unasked")

    await rbac.nc.subscribe("system.rbac.rights.get", queue="rbac", cb=chatty)
    await rbac.nc.flush()
    request = GetRights(user_id=new_id())
    answer = await NatsBus(gateway.nc).call(context(DASHBOARD, SYSTEM_CALLER), request)
    refused = await rbac.errors_so_far()

    assert answer == Rights()
    assert len(refused) == 2, refused
    assert SYSTEM_SUBJECT + SeedRoles.subject not in nats_access.rights("gateway").publish
