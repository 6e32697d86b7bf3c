"""A move that is killed, abandoned or undone, and servers that go away meanwhile, loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from tests.kit.callers import ADMIN
from tests.kit.homes import TwoClusters
from tests.kit.moves import left_behind, move_application, start_movable
from tests.kit.world import World

from aero2.failures import CommandError
from aero2.migrate import migrate, missing
from aero2.moves import fences, flip, leftovers, mover, records, replication, rows
from aero2.schema_files import MigrationError
from common.context import SYSTEM_CALLER
from common.contracts.roles import SeedRoles
from common.contracts.users import CreateUser, ListUsers
from common.ids import DASHBOARD
from common.problems import Busy, Unavailable

pytestmark = pytest.mark.long

STEPS = (
    (fences, ("close_target", "open_source", "lift", "close_source", "wait_for_mark")),
    (fences, ("open_target", "hide_source", "forget")),
    (replication, ("publish", "make_slot", "subscribe", "unsubscribe", "unpublish")),
    (rows, ("delete", "compare")),
    (records, ("begin", "set_phase", "forget")),
    (flip, ("_register", "_record")),
    (leftovers, ("wait_until_sent", "carry_failed_mails", "delete_placeholder")),
)
"""The functions of which each changes something, or waits for something."""


class Killed(BaseException):
    """The process is gone. Its connections are closed, and no handler of it runs."""


@pytest.fixture(scope="module")
def movable() -> Iterator[TwoClusters]:
    """Two servers of their own, which tests stop."""
    servers = start_movable()
    yield servers
    servers.west.stop()
    servers.first.stop()


@pytest.fixture
async def world(movable: TwoClusters) -> AsyncIterator[World]:
    """An application in `main`, with a user."""
    name = movable.clone()
    world = await World.start(movable.dsns(name), "identity", "oidc", "rbac", "tenancy", size=2)
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    await world.owner.execute("UPDATE applications SET state = 'active' WHERE is_dashboard")
    world.app_id = (await world.create_application(home="main")).id
    world.other_app_id = (await world.create_application(home="main")).id
    await world.user("ann@example.com")
    yield world
    await world.close()
    movable.drop(name)


@contextmanager
def killed_after(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Kills the command after its step of this number. Returns the steps that it did."""
    done: list[str] = []

    def step(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(*args: Any, **options: Any) -> Any:
            result = await work(*args, **options)
            done.append(name)
            if len(done) == number:
                raise Killed
            return result

        return counted

    async def gone(_: mover.Mover) -> None:
        """A process that was killed opens nothing again."""

    with monkeypatch.context() as patch:
        for module, names in STEPS:
            for name in names:
                patch.setattr(
                    module, name, step(f"{module.__name__}.{name}", getattr(module, name))
                )
        patch.setattr(mover.Mover, "_reopen", gone)
        yield done


async def users(world: World) -> list[str]:
    """Returns the addresses of the application's users."""
    return sorted(user.email or "" for user in (await world.call(ListUsers(), ADMIN)).users)


async def works_or_is_busy(world: World) -> bool:
    """Returns whether the application answers. Otherwise it says that it is busy, and nothing else."""
    try:
        return await users(world) == ["ann@example.com"]
    except Busy:
        return False


async def where(world: World) -> str:
    home: str = await world.main_owner.fetchval(
        "SELECT home FROM applications WHERE id = $1", world.app_id
    )
    return home


async def test_a_move_that_was_killed_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each of its steps. Until then the application is as it was, or busy; another one answers. The
    second run ends as an undisturbed one, and nothing is left behind."""
    number, here, there = 0, "main", "west"
    while True:
        number += 1
        with killed_after(number, monkeypatch) as done:
            try:
                await move_application(world, world.app_id, there)
            except Killed:
                pass
            else:
                break
        assert await works_or_is_busy(world), done
        assert await world.user(app_id=world.other_app_id)
        await move_application(world, world.app_id, there)
        assert await users(world) == ["ann@example.com"], done
        assert await where(world) == there, done
        assert await left_behind(world, world.app_id, here) == {}, done
        here, there = there, here
    assert number > 20


async def test_a_move_is_undone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step before the new home. The application answers where it was, and the other cluster has
    nothing of it. After that, it is refused."""
    number = 0
    while True:
        number += 1
        with killed_after(number, monkeypatch) as done:
            with pytest.raises(Killed):
                await move_application(world, world.app_id, "west")
        if await where(world) == "west":
            break
        if await world.main_owner.fetchval("SELECT count(*) FROM application_moves"):
            await move_application(world, world.app_id, "west", abort=True)
        assert await users(world) == ["ann@example.com"], done
        assert await left_behind(world, world.app_id, "west") == {}, done
        for table in ("pg_publication", "pg_replication_slots", "application_fences"):
            count = f"SELECT count(*) FROM {table}"
            assert await world.main_owner.fetchval(count) == 0, (done, table)
    with pytest.raises(CommandError, match="lives in west already"):
        await move_application(world, world.app_id, "west", abort=True)
    await move_application(world, world.app_id, "west")
    assert await users(world) == ["ann@example.com"]


async def begin(world: World, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    """Moves as far as this step."""
    with monkeypatch.context() as patch:
        module, _, name = last.rpartition(".")
        of = {"fences": fences, "replication": replication}[module]
        work = getattr(of, name)

        async def then_killed(*args: Any) -> None:
            await work(*args)
            raise Killed

        async def gone(_: mover.Mover) -> None:
            """See above."""

        patch.setattr(of, name, then_killed)
        patch.setattr(mover.Mover, "_reopen", gone)
        with pytest.raises(Killed):
            await move_application(world, world.app_id, "west")


async def test_others_are_updated_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the publication made, rows of every application can be changed and deleted, in each published
    table (trap 53)."""
    await begin(world, monkeypatch, "replication.subscribe")
    for app_id in (world.app_id, world.other_app_id):
        tables = await world.main_owner.fetch(
            "SELECT tablename FROM pg_publication_tables WHERE tablename <> 'application_fences'"
        )
        assert len(tables) > 50
        for row in tables:
            table = row["tablename"]
            await world.main_owner.execute("SET session_replication_role = replica")
            await world.main_owner.execute(
                f"UPDATE {table} SET app_id = app_id WHERE app_id = $1", app_id
            )
            await world.main_owner.execute("RESET session_replication_role")
    await world.main_owner.execute("DELETE FROM users WHERE app_id = $1", world.other_app_id)
    await move_application(world, world.app_id, "west", abort=True)


async def test_a_copy_that_differs_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is missing or different in the copy is found, and the application stays, and answers."""
    for change, what in (
        ("UPDATE users SET name = 'Somebody' WHERE app_id = $1", "users has other content"),
        ("DELETE FROM users WHERE app_id = $1", "users has 0 rows instead of 1"),
    ):
        await begin(world, monkeypatch, "fences.wait_for_mark")
        await world.west_owner.execute("SET session_replication_role = replica")
        await world.west_owner.execute(change, world.app_id)
        await world.west_owner.execute("RESET session_replication_role")
        with pytest.raises(CommandError, match=what):
            await move_application(world, world.app_id, "west")
        assert await users(world) == ["ann@example.com"]
        await move_application(world, world.app_id, "west", abort=True)


async def test_a_fence_that_takes_too_long_is_lifted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application answers again, and a later run moves it."""

    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(fences, "wait_for_mark", never)
        with pytest.raises(CommandError, match=r"longer than 0\.5 s"):
            await move_application(world, world.app_id, "west", busy=0.5)
    assert await users(world) == ["ann@example.com"]
    await world.call(CreateUser(email="bob@example.com"), ADMIN)
    await move_application(world, world.app_id, "west")
    assert await users(world) == ["ann@example.com", "bob@example.com"]


async def test_a_transaction_that_does_not_end_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began before the fence, so it may write behind it. Its writes were never committed."""
    monkeypatch.setattr(fences, "OLD", 0.5)

    async def late() -> None:
        async with world.databases["identity"].transaction(world.ctx()) as tx:
            await tx.execute("UPDATE users SET name = 'late' WHERE app_id = $1", world.app_id)
            await move_application(world, world.app_id, "west")

    with pytest.raises((Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await late()
    assert await where(world) == "west"
    names = await world.west_owner.fetch("SELECT name FROM users WHERE app_id = $1", world.app_id)
    assert [row["name"] for row in names] == [None]


async def test_a_lost_slot_begins_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promoted standby has no slot, and so has a source that gave up an abandoned one (traps 50, 55). The
    next run copies everything again, without a gap."""
    await begin(world, monkeypatch, "replication.subscribe")
    await asyncio.sleep(0.5)
    await world.west_owner.execute(f"ALTER SUBSCRIPTION {slot(world)} DISABLE")
    await until_free(world)
    await world.main_owner.execute("SELECT pg_drop_replication_slot($1)", slot(world))
    await world.call(CreateUser(email="bob@example.com"), ADMIN)
    await move_application(world, world.app_id, "west")
    assert await users(world) == ["ann@example.com", "bob@example.com"]


def slot(world: World) -> str:
    return f"aero2_move_{world.app_id.replace('-', '')}"


async def until_free(world: World) -> None:
    while await world.main_owner.fetchval(
        "SELECT active FROM pg_replication_slots WHERE slot_name = $1", slot(world)
    ):
        await asyncio.sleep(0.05)


async def test_an_abandoned_move_keeps_little_log(
    world: World, movable: TwoClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source drops what it keeps beyond max_slot_wal_keep_size (trap 55). Without a bound, no move begins."""
    set_up(movable, "max_slot_wal_keep_size = -1")
    with pytest.raises(CommandError, match="until the disk is full"):
        await move_application(world, world.app_id, "west")
    set_up(movable, "max_slot_wal_keep_size = 32MB")
    try:
        await begin(world, monkeypatch, "replication.subscribe")
        await world.west_owner.execute(f"ALTER SUBSCRIPTION {slot(world)} DISABLE")
        await until_free(world)
        for _ in range(8):
            await world.main_owner.execute(
                "SELECT pg_switch_wal(), pg_logical_emit_message(false, 'x', 'y')"
            )
        await world.main_owner.execute("CHECKPOINT")
        status = await world.main_owner.fetchval(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", slot(world)
        )
        assert status == "lost"
        await move_application(world, world.app_id, "west")
        assert await users(world) == ["ann@example.com"]
    finally:
        set_up(movable, "max_slot_wal_keep_size = 1GB")


def set_up(movable: TwoClusters, line: str) -> None:
    movable.first.configure(line)
    movable.first.query("SELECT pg_reload_conf()")


async def test_a_source_that_crashes_is_waited_for(
    world: World, movable: TwoClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it is copied, and back: the command goes on by itself."""
    await begin(world, monkeypatch, "replication.subscribe")
    movable.first.kill()
    again = asyncio.create_task(move_when_back(world, movable))
    await again
    assert await where_after_restart(world, movable) == "west"


async def move_when_back(world: World, movable: TwoClusters) -> None:
    """Starts the server again, which takes a while, and runs the command."""
    await asyncio.to_thread(movable.first.restart)
    await reconnect(world)
    await move_application(world, world.app_id, "west")


async def reconnect(world: World) -> None:
    """Opens the test's own connections again."""
    main = await asyncpg.connect(world.dsns["owner"])
    await main.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    world.owner.main = main  # type: ignore[attr-defined]


async def where_after_restart(world: World, movable: TwoClusters) -> str:
    home = await where(world)
    assert await users(world) == ["ann@example.com"]
    return home


async def test_a_dark_target_is_undone_later(
    world: World, movable: TwoClusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Abort opens the application at once, with the target dark; what is left there goes when it is back."""
    await begin(world, monkeypatch, "fences.close_source")
    with pytest.raises(Busy):
        await users(world)
    movable.west.kill()
    with pytest.raises(CommandError, match="west cannot be reached"):
        await move_application(world, world.app_id, "west", abort=True)
    assert await users(world) == ["ann@example.com"]
    movable.west.restart()
    with pytest.raises(CommandError, match="add --abort"):
        await move_application(world, world.app_id, "west")
    await move_application(world, world.app_id, "west", abort=True)
    assert await world.main_owner.fetchval("SELECT count(*) FROM application_moves") == 0


async def test_settings_that_lack_are_named(world: World, movable: TwoClusters) -> None:
    """All of them in one message, and nothing was begun."""
    movable.first.configure("wal_level = replica\nmax_replication_slots = 1")
    movable.west.configure("max_logical_replication_workers = 1")
    movable.first.restart()
    movable.west.restart()
    await reconnect(world)
    try:
        with pytest.raises(CommandError) as refused:
            await move_application(world, world.app_id, "west")
        for setting in ("wal_level", "max_replication_slots", "max_logical_replication_workers"):
            assert setting in str(refused.value)
        assert await world.main_owner.fetchval("SELECT count(*) FROM application_moves") == 0
    finally:
        movable.first.configure("wal_level = logical\nmax_replication_slots = 10")
        movable.west.configure("max_logical_replication_workers = 8")
        movable.first.restart()
        movable.west.restart()


async def test_a_migration_waits_for_the_move(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Between two clusters, the schemas stay as they are: a missing migration is refused until the application
    has arrived."""
    await begin(world, monkeypatch, "replication.subscribe")
    dsn = world.dsns["owner"]
    await migrate(dsn, {})
    await world.main_owner.execute(
        "DELETE FROM schema_migrations WHERE name = '0003_moves_of_applications.sql'"
    )
    assert await missing(dsn)
    with pytest.raises(MigrationError, match="is being moved to another cluster"):
        await migrate(dsn, {})
