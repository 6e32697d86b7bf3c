"""Several servers in one DSN: a dark one hides no other, and the pool follows a failover."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from urllib.parse import urlsplit

import asyncpg
import pytest
import uvloop
from tests.kit.standby import PostgresPair
from tests.kit.tcp_proxy import tcp_proxy, with_hosts

from aero2 import owner_connection
from aero2.backups.programs import without_password
from aero2.password_change import connect_with
from common import connection_setup
from common.context import Context
from common.database_hosts import DatabaseHosts, Host
from common.database_url import DatabaseUrl
from common.db import Database
from common.problems import Unavailable

A = Context("018f0000-0000-7000-8000-00000000000a")
PORT = "SELECT inet_server_port()"


def port_of(dsn: str) -> int:
    port = urlsplit(dsn).port
    assert port is not None
    return port


async def ask(db: Database, sql: str = "SELECT 1") -> object:
    async with db.reader(A) as reader:
        return await reader.fetchval(sql)


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p@a:1,b/db", [("a", 1), ("b", 5432)]),
        ("postgresql://u:p%40c@a/db?sslmode=require", [("a", 5432)]),
        ("postgresql://a,b:2/db", [("a", 5432), ("b", 2)]),
        ("postgresql://u@/db?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
        ("postgresql://u@/db?host=[::1]:3,b", [("::1", 3), ("b", 5432)]),
        ("postgresql://u@[::1]:3/db", [("::1", 3)]),
        ("postgresql://u@/db?host=a,b&port=7", [("a", 7), ("b", 7)]),
        ("postgresql://u@/db?host=/run/pg&port=7", [("/run/pg", 7)]),
        ("postgresql://u@a,a:5432/db", [("a", 5432)]),
        ("postgresql://u@/db", []),
        ("postgresql:///db", []),
    ],
)
def test_the_servers_of_a_dsn(dsn: str, hosts: list[tuple[str, int]]) -> None:
    """As libpq reads it."""
    assert DatabaseHosts(dsn).in_order() == hosts


def test_the_last_good_server_comes_first() -> None:
    """The order of the others stays."""
    hosts = DatabaseHosts("postgresql://u@a,b,c/db")
    hosts.prefer(Host("c", 5432))
    hosts.prefer(Host("c", 5432))

    assert [host.name for host in hosts.in_order()] == ["c", "a", "b"]


async def test_a_dark_server_hides_no_other(database: dict[str, str]) -> None:
    """The second one is tried after two seconds. Later connections go to it at once."""
    dsn = database["identity"]
    async with tcp_proxy(dsn) as first:
        first.silence()
        async with asyncio.timeout(5):
            db = await Database.connect(with_hosts(dsn, first.port, port_of(dsn)), name="test")
        assert first.accepted == 1
        await asyncio.gather(*(ask(db, "SELECT pg_sleep(0.05)") for _ in range(5)))
        assert (first.accepted, len(db.pool.connections())) == (1, 5)
        await db.close()


async def test_a_server_that_goes_dark_leaves_the_pool_whole(
    database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements run and connections are idle when it happens. Callers get `unavailable`, the next
    ones another server, and closing ends."""
    monkeypatch.setattr(connection_setup, "COMMAND", 0.5)
    dsn = database["identity"]
    async with tcp_proxy(dsn) as first:
        db = await Database.connect(with_hosts(dsn, first.port, port_of(dsn)), name="test", size=4)
        await asyncio.gather(*(ask(db, "SELECT pg_sleep(0.05)") for _ in range(4)))
        running = [asyncio.create_task(ask(db, "SELECT pg_sleep(0.2)")) for _ in range(2)]
        running.append(asyncio.create_task(_transaction(db)))
        await asyncio.sleep(0.1)
        first.silence()
        failed = await asyncio.gather(*running, return_exceptions=True)
        assert {type(error) for error in failed} == {Unavailable}
        assert db.connections().used == 0
        with pytest.raises(Unavailable):  # the one that was idle
            await ask(db)
        async with asyncio.timeout(10):
            await asyncio.gather(*(_until_answered(db) for _ in range(8)))
        assert db.connections().used == 0
        async with asyncio.timeout(5):
            await db.close()


async def test_of_several_errors_the_one_that_must_be_corrected_is_told(
    database: dict[str, str],
) -> None:
    """A wrong password is not hidden behind a server that is away."""
    dsn = database["identity"].replace("aero2_identity:", "aero2_identity:wrong")
    for ports in ((1, port_of(dsn)), (port_of(dsn), 1)):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await Database.connect(with_hosts(dsn, *ports), name="test")
    with pytest.raises(ConnectionRefusedError):
        await Database.connect(with_hosts(dsn, 1, 2), name="test")


async def _transaction(db: Database) -> None:
    async with db.transaction(A) as tx:
        await tx.fetchval("SELECT 1")
        await asyncio.sleep(0.2)
        await tx.fetchval("SELECT 2")


async def _until_answered(db: Database) -> None:
    while True:
        try:
            await ask(db)
        except Unavailable:
            await asyncio.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_kernel_watches_over_a_connection(database: dict[str, str], loop: str) -> None:
    """Keepalive for a silent connection, and a limit for what the server does not confirm."""

    async def look() -> list[int]:
        db = await Database.connect(database["identity"], name="test")
        (connection,) = db.pool.connections()
        number = connection._transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=number) as found:
            options = [
                found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            ]
            found.detach()
        await db.close()
        return options

    assert (asyncio if loop == "asyncio" else uvloop).run(look()) == [1, 10, 10_000]


async def test_a_command_takes_the_primary(postgres_pair: PostgresPair) -> None:
    """Commands with an operator's DSN of both servers work on the one that takes writes, whichever comes first.
    So do the programs of PostgreSQL that they run."""
    primary, standby = postgres_pair.primary, postgres_pair.standby
    for ports in ((standby.port, primary.port), (primary.port, standby.port)):
        dsn = with_hosts(primary.dsn("owner"), *ports)
        for connecting in (owner_connection.connect(dsn), connect_with(DatabaseUrl(dsn))):
            db = await connecting
            assert await db.fetchval(PORT) == primary.port
            await db.close()
        plain, variables = without_password(dsn)
        psql = await asyncio.create_subprocess_exec(
            *(primary.binaries / "psql", "--no-psqlrc", "-At", "-c", PORT, plain),
            env=os.environ | variables,
            stdout=subprocess.PIPE,
        )
        output, _ = await psql.communicate()
        assert output.decode().strip() == str(primary.port)
    with pytest.raises(owner_connection.UNREACHABLE):
        await owner_connection.connect(with_hosts(dsn, standby.port, 1))
    with pytest.raises(asyncpg.InterfaceError):
        await owner_connection.connect("postgresql://a:one/db")


async def test_a_failover_is_followed(postgres_pair: PostgresPair) -> None:
    """The standby is the first of the list, and is passed over while it is one. After its promotion the
    pool finds it. What was acknowledged before is there."""
    name = await asyncio.to_thread(postgres_pair.primary.clone)
    dsn = postgres_pair.primary.dsn("identity", name)
    both = with_hosts(dsn, postgres_pair.standby.port, postgres_pair.primary.port)
    db = await Database.connect(both, name="test", size=3)
    assert await ask(db, PORT) == postgres_pair.primary.port
    assert await db.takes_writes()
    owner = await asyncpg.connect(postgres_pair.primary.dsn("owner", name))
    await owner.execute(
        "INSERT INTO applications (id, slug, name) VALUES ($1, 'kept', 'x')", A.app_id
    )
    await owner.close()

    await asyncio.to_thread(postgres_pair.fail_over)
    async with asyncio.timeout(10):
        await _until_answered(db)
    assert await ask(db, PORT) == postgres_pair.standby.port
    assert await db.takes_writes()
    await db.close()
    kept = "SELECT count(*) FROM applications WHERE slug = 'kept'"
    assert postgres_pair.standby.query(kept, name) == "1"
