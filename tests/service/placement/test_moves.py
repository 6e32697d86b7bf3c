"""`aero2 apps move`: an application changes its home while it is used (docs/adr/0033)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.kit.callers import ADMIN, PASSWORD
from tests.kit.moves import left_behind, move_application, urls_of
from tests.kit.world import KEYS, World
from tests.service.placement.test_clusters import mailers

from aero2.backups.audit_check import verify
from aero2.failures import CommandError
from aero2.migrate import LOCK
from aero2.moves.clusters import connected
from common.audit_carrier import AuditCarrier
from common.context import Context
from common.contracts.api_keys import CreateApiKey, RevokeApiKey
from common.contracts.applications import ApplicationMoving, DeleteApplication
from common.contracts.audit_log import ListAudit
from common.contracts.email_codes import StartEmailCode
from common.contracts.passwords import SignInWithPassword
from common.contracts.users import CreateUser, GetUser, ListUsers
from common.db import Database
from common.homes import MAIN
from common.ids import DASHBOARD
from common.problems import Busy, Problem
from identity.queries.sweeps import EXPIRED
from tenancy import audit_sealing


@pytest.fixture
async def world(world: World) -> World:
    """`app_id` and `other_app_id` are in `main`."""
    world.app_id = (await world.create_application(home="main")).id
    return world


async def test_an_application_moves_and_comes_back(world: World) -> None:
    """Users, sessions and refresh tokens work in the new home, and again in the old one. Nothing is left
    behind. The Dashboard's log says who moved where."""
    user = await world.user("ann@example.com")
    signed_in = await world.sign_in(user)
    person, client = await world.person(), await world.client()
    tokens = await world.redeem(client, await world.code(client, person))

    for target, other in (("west", "main"), ("main", "west")):
        lines = await move_application(world, world.app_id, target)
        assert any("rows are alike" in line for line in lines), lines
        assert world.home == target
        tokens = await world.refresh(client, tokens.refresh_token)
        assert await world.live_session(signed_in.token)
        await world.call(CreateUser(email=f"{target}@example.com"), ADMIN)
        listed = await world.call(ListUsers(search="example.com"), ADMIN)
        assert {user.email for user in listed.users} >= {"ann@example.com", f"{target}@example.com"}
        assert await left_behind(world, world.app_id, other) == {}

    moves = [
        (data["from_home"], data["to_home"])
        for name, data in await world.events(DASHBOARD)
        if name == "application_moved" and data["application_id"] == world.app_id
    ]
    assert moves == [("main", "west"), ("west", "main")]


@dataclass
class Load:
    """Acts of people meanwhile, and the results that were acknowledged."""

    world: World
    created: list[str] = field(default_factory=list)
    """Ids of users."""
    refreshed: int = 0
    signed_in: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refused: int = 0
    others: int = 0
    """Acts in another application, each of which must succeed."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps on until the block ends."""
        world = self.world
        person, client = await world.person(), await world.client()
        tokens = await world.redeem(client, await world.code(client, person))
        user = await world.user("load@example.com")
        other = await world.user("other@example.com", app_id=world.other_app_id)

        async def create(number: int) -> None:
            new = await world.call(CreateUser(email=f"load-{number}@example.com"), ADMIN)
            self.created.append(new.id)

        async def refresh(_: int) -> None:
            nonlocal tokens
            tokens = await world.refresh(client, tokens.refresh_token)
            self.refreshed += 1

        async def sign_in(_: int) -> None:
            new = await world.call(SignInWithPassword(email=user.email or "", password=PASSWORD))
            self.signed_in.append(new.token)

        async def add_key(_: int) -> None:
            key = await world.call(CreateApiKey(key_type="secret", name="load"), ADMIN)
            self.keys.append(key.id)
            await world.call(RevokeApiKey(id=key.id), ADMIN)

        async def repeat(act: object) -> None:
            number = 0
            while True:
                number += 1
                try:
                    await act(number)  # type: ignore[operator]
                except Busy as problem:
                    self.refused += bool(problem.extra["retry_after"])
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.005)

        async def elsewhere() -> None:
            while True:
                await world.call(GetUser(user_id=other.id), ADMIN, world.other_app_id)
                await world.call(
                    SignInWithPassword(email=other.email or "", password=PASSWORD),
                    app_id=world.other_app_id,
                )
                self.others += 1

        tasks = [asyncio.create_task(repeat(act)) for act in (create, refresh, sign_in, add_key)]
        tasks.append(asyncio.create_task(elsewhere()))
        try:
            yield
            await asyncio.sleep(0.5)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                task.result()


@pytest.mark.long
async def test_nothing_acknowledged_is_lost_under_load(world: World) -> None:
    """People create users, sign in, refresh and make keys while their application is moved three times. Each
    gets a reply or a 503 with Retry-After; another application notices nothing. Everything with a reply is
    there afterwards, and the log has an event for each."""
    load = Load(world)
    async with load.running():
        for target in ("west", "main", "west"):
            await move_application(world, world.app_id, target)
            before = len(load.created)
            while len(load.created) < before + 3:
                await asyncio.sleep(0.05)

    listed = {
        row["id"]
        for row in await world.owner.fetch(
            "SELECT id::text FROM users WHERE app_id = $1", world.app_id
        )
    }
    assert set(load.created) <= listed
    assert load.refreshed > 3
    assert load.others > 3
    for token in load.signed_in:
        assert await world.live_session(token)
    for carrier in carriers(world, "tenancy"):
        await carrier.carry_all()
    events = await world.event_types("user_created", "api_key_created")
    assert events.count("user_created") >= len(load.created)
    keys = await world.main_owner.fetchval(
        "SELECT count(*) FROM application_api_keys WHERE app_id = $1", world.app_id
    )
    assert load.keys
    assert events.count("api_key_created") == keys  # also those whose reply was a 503


def carriers(world: World, service: str) -> list[AuditCarrier]:
    """Returns the carriers of a service: one for each cluster."""
    relay_db = world.databases["relay"]
    return [
        AuditCarrier(
            service, world.databases[service], relay_db.at(each.home), world.tenants.home_of
        )
        for each in relay_db.everywhere()
    ]


@pytest.mark.long
async def test_the_log_goes_on(world: World) -> None:
    """Events before and after a move are in one chain, which verifies in the new home. Figures and search
    words are those of before."""
    await world.user("ada@example.com")
    await audit_sealing.seal(world.tenancy, world.app_id, sign=True)
    tables = ("audit_chain", "audit_counts", "usage_counts", "user_words", "active_users")
    before = {table: await rows_of(world, "main", table) for table in tables}
    assert before["audit_chain"]
    assert before["user_words"]

    await move_application(world, world.app_id, "west")
    assert {table: await rows_of(world, "west", table) for table in tables} == before
    await world.user("bob@example.com")
    await audit_sealing.seal(world.tenancy, world.app_id, sign=True)

    assert await rows_of(world, "west", "audit_chain") > before["audit_chain"]
    async with connected(urls_of(world), ["main", "west"]) as clusters:
        assert await verify(clusters["west"], KEYS, lambda _: None) == []
    listed = await world.call(ListAudit(), ADMIN)
    assert [each.event_type for each in listed.audit_logs].count("user_created") == 2


async def rows_of(world: World, cluster: str, table: str) -> int:
    owner = getattr(world, f"{cluster}_owner")
    rows: int = await owner.fetchval(
        f"SELECT count(*) FROM {table} WHERE app_id = $1", world.app_id
    )
    return rows


@pytest.mark.long
async def test_a_mail_that_waits_is_sent_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mailer of the old home renders it with what the new home has, and sends it. The move waits for that,
    and a second run of the command finishes. A mail that failed goes along."""
    await world.call(StartEmailCode(email="ann@example.com"))
    await world.main_owner.execute(
        """
        INSERT INTO mail_outbox (app_id, id, kind, locale, sealed, failed_at)
        SELECT app_id, gen_random_uuid(), kind, locale, sealed, now() FROM mail_outbox WHERE app_id = $1
        """,
        world.app_id,
    )

    with pytest.raises(CommandError, match="still has to send 1 mails and 0 events"):
        await move_application(world, world.app_id, "west", patience=0.5)
    assert (await world.call(ListUsers(), ADMIN)).users == []  # it answers

    sent: list[str] = []
    main, west = mailers(world)

    for mailer in (main, west):
        mailer.server = object()  # type: ignore[assignment]
    monkeypatch.setattr("identity.kept_sender.KeptSender.send", send_to(sent))
    await west.deliver_batch()
    assert sent == []
    await main.deliver_batch()
    assert len(sent) == 1
    await move_application(world, world.app_id, "west")

    assert await left_behind(world, world.app_id, "main") == {}
    assert await rows_of(world, "west", "mail_outbox") == 1


def send_to(sent: list[str]) -> object:
    async def send(_: object, message: object) -> None:
        sent.append(type(message).__name__)

    return send


@pytest.mark.long
async def test_jobs_leave_a_copy_alone(world: World) -> None:
    """A sweep deletes expired rows of others, but not those of a copy or of what was moved away; an operator's
    search does not find them twice."""
    await world.call(StartEmailCode(email="cid@example.com"))
    await world.call(StartEmailCode(email="cid@example.com"), app_id=world.other_app_id)
    await world.user("dan@example.com")
    await world.owner.execute(
        "UPDATE email_verification_codes SET expires_at = now() - interval '2 days'"
    )
    fence = "INSERT INTO application_fences (app_id, cluster, is_closed, is_hidden, mark) VALUES ($1, 'main', true, $2, $1)"
    for is_hidden in (False, True):
        await world.main_owner.execute("DELETE FROM application_fences")
        await world.main_owner.execute(fence, world.app_id, is_hidden)
        main = world.sweep_db.everywhere()[0]
        async with main.unbound_transaction() as tx:
            await tx.execute(EXPIRED["email_verification_codes"])
        assert await rows_of(world, "main", "email_verification_codes") == 1
        search = world.databases["search"].everywhere()[0]
        async with search.unbound_transaction() as tx:
            found = await tx.fetch("-- any-tenant: a test\nSELECT app_id FROM users")
        assert (world.app_id in {row["app_id"] for row in found}) != is_hidden
    left = "SELECT count(*) FROM email_verification_codes WHERE app_id = $1"
    assert await world.main_owner.fetchval(left, world.other_app_id) == 0
    await world.main_owner.execute("DELETE FROM application_fences")


@pytest.mark.long
async def test_events_find_the_new_home(world: World) -> None:
    """An event that was written for the log of the old home, by a call that had begun before the move, is
    carried to the new one."""
    key = CreateApiKey(key_type="secret", name="late")
    stale = world.ctx(ADMIN)
    await move_application(world, world.app_id, "west")
    assert stale.home == MAIN

    await world.call(key, replace(stale, home=MAIN))
    for _ in range(2):
        for carrier in carriers(world, "tenancy"):
            await carrier.carry_all()
    assert (await world.event_types("api_key_created")).count("api_key_created") == 3
    assert await rows_of(world, "main", "audit_logs") == 0


@pytest.mark.long
async def test_a_stale_context_is_busy(world: World) -> None:
    """A process that has not heard of the move reads and writes nothing in the old home."""
    stale: Context = world.ctx(ADMIN)
    await move_application(world, world.app_id, "west")
    for request in (ListUsers(), CreateUser(email="x@example.com")):
        assert isinstance(await world.refused(request, stale), Busy)
    assert await rows_of(world, "main", "users") == 0


@pytest.mark.long
async def test_what_cannot_be_moved_is_refused(world: World) -> None:
    """Each with a sentence, and nothing has changed."""
    slug = await world.main_owner.fetchval(
        "SELECT slug FROM applications WHERE id = $1", world.app_id
    )
    assert slug
    for app_id, target, sentence in (
        (DASHBOARD, "west", "The Dashboard stays on main"),
        (world.app_id, "main", "lives in main already"),
        (world.app_id, "north", "There is no cluster north"),
    ):
        with pytest.raises(CommandError, match=sentence):
            await move_application(world, app_id, target)
    with pytest.raises(CommandError, match="is not being moved"):
        await move_application(world, world.app_id, "west", abort=True)
    with pytest.raises(CommandError, match="There is no application"):
        await move_application(world, "018f0000-0000-7000-8000-00000000000a", "west", slug="nobody")
    async with connected(urls_of(world), ["main", "west"]) as clusters:
        await clusters["west"].execute("SELECT pg_advisory_lock($1)", LOCK)
        with pytest.raises(CommandError, match="a migration is under way in west"):
            await move_application(world, world.app_id, "west")
    assert await left_behind(world, world.app_id, "west") == {}
    assert await world.main_owner.fetchval("SELECT count(*) FROM application_moves") == 0


@pytest.mark.long
async def test_a_process_of_one_cluster_is_refused(world: World) -> None:
    """A service whose settings name `main` only would pass every fence. Its name is told."""
    unaware = await Database.connect(world.dsns["identity"], name="identity", size=1)
    try:
        with pytest.raises(CommandError, match=r"aero2-identity/\S+ is connected to main"):
            await move_application(world, world.app_id, "west")
    finally:
        await unaware.close()
    assert await left_behind(world, world.app_id, "west") == {}


@pytest.mark.long
async def test_a_table_without_identity_is_refused(world: World) -> None:
    """A publication would stop the updates of every application. With FULL, generated columns would differ."""
    for identity in ("FULL", "NOTHING"):
        await world.main_owner.execute(f"ALTER TABLE users_p03 REPLICA IDENTITY {identity}")
        with pytest.raises(CommandError, match="users_p03: the replica identity"):
            await move_application(world, world.app_id, "west")
        await world.main_owner.execute("ALTER TABLE users_p03 REPLICA IDENTITY DEFAULT")
    assert await left_behind(world, world.app_id, "west") == {}


@pytest.mark.long
async def test_an_application_on_its_way_is_not_deleted(world: World) -> None:
    """Its deletion is refused until it has arrived."""
    await world.main_owner.execute(
        "INSERT INTO application_moves (app_id, source, target) VALUES ($1, 'main', 'west')",
        world.app_id,
    )
    slug = await world.main_owner.fetchval(
        "SELECT slug FROM applications WHERE id = $1", world.app_id
    )
    operator = await world.operator()
    problem: Problem = await world.refused(DeleteApplication(slug=slug, confirm=slug), operator)
    assert isinstance(problem, ApplicationMoving)
    await move_application(world, world.app_id, "west", abort=True)
    await world.call(DeleteApplication(slug=slug, confirm=slug), operator)
