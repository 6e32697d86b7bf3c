"""The audit log is read by filter and page, exported and pruned, and never changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common import audit
from common.context import Caller, Context
from common.contracts.audit_log import (
    AuditRecordNotFound,
    AuditRecords,
    CountAudit,
    ExportAudit,
    ExportedRecord,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
    ListCheckpoints,
    ListOwnAudit,
    ListUserAudit,
)
from common.contracts.users import UserNotFound
from common.cursors import BadCursor
from common.events.base import Event
from common.events.sessions import ImpersonationStarted, Login, LoginFailed, Logout
from common.events.users import UserCreated
from common.ids import new_id
from common.problems import Forbidden, Unauthenticated
from common.testing import context
from tenancy import audit_retention
from tenancy.audit_sealing import seal
from tenancy.queries import audit_retention as audit_rows


async def record(
    world: World, app_id: str, *events: Event, user_id: str | None = None, ip: str = "192.0.2.1"
) -> None:
    ctx = context(app_id, ip=ip, agent="curl/8")
    async with world.tenancy.db.transaction(ctx) as tx:
        for event in events:
            await audit.record(tx, ctx, event, user_id=user_id)


async def user(world: World, app_id: str, email: str = "ada@example.com") -> str:
    id = new_id()
    await world.owner.execute(
        "INSERT INTO users (app_id, id, email, email_normalized, name)"
        " VALUES ($1, $2, $3, $3, 'Ada')",
        app_id,
        id,
        email,
    )
    return id


async def everything(world: World, ctx: Context, **wanted: object) -> list[ExportedRecord]:
    found: list[ExportedRecord] = []
    cursor = None
    while True:
        piece = await world.call(ExportAudit(cursor=cursor, **wanted), ctx)
        found += piece.records
        cursor = piece.next
        if cursor is None:
            return found


async def test_newest_first_page_by_page(world: World) -> None:
    """The pages contain every event once, the newest first."""
    app = (await world.create_application()).id
    await record(world, app, *[Logout(session_id=str(n)) for n in range(7)])
    ctx = secret_key_of(app)
    seen: list[str] = []
    cursor = None
    while True:
        page: AuditRecords = await world.call(
            ListAudit(limit=3, cursor=cursor, event_type="logout"), ctx
        )
        assert len(page.audit_logs) <= 3
        seen += [row.event_data["session_id"] for row in page.audit_logs]
        cursor = page.next
        if cursor is None:
            break

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


async def test_each_filter_leaves_what_it_names(world: World) -> None:
    """Filters by type, user, address and time work alone and together."""
    app = (await world.create_application()).id
    ada, bob = await user(world, app), await user(world, app, "bob@example.com")
    await record(world, app, Logout(session_id="ada-1"), user_id=ada)
    await record(world, app, Logout(session_id="bob-1"), user_id=bob, ip="2001:db8::1")
    middle = datetime.now(UTC)
    await record(world, app, Login(method="password", session_id="ada-2"), user_id=ada)
    ctx = secret_key_of(app)

    async def named(**wanted: object) -> list[str]:
        page = await world.call(ListAudit(**wanted), ctx)
        return [row.event_data.get("session_id", row.event_type) for row in page.audit_logs]

    assert await named(user_id=ada) == ["ada-2", "ada-1"]
    assert await named(user_id=ada, event_type="logout") == ["ada-1"]
    assert await named(event_type="logout") == ["bob-1", "ada-1"]
    assert await named(ip_address="2001:db8::1") == ["bob-1"]
    assert await named(start_date=middle) == ["ada-2"]
    assert await named(end_date=middle, event_type="logout", user_id=bob) == ["bob-1"]
    assert await named(user_id=new_id()) == []


async def test_a_record_names_whom_it_concerns(world: World) -> None:
    """A record has the user's present name and address, and the user agent and IP address of the
    time."""
    app = (await world.create_application()).id
    ada = await user(world, app)
    await record(world, app, Logout(session_id="x"), user_id=ada)
    (row,) = (await world.call(ListAudit(user_id=ada), secret_key_of(app))).audit_logs
    one = await world.call(GetAuditRecord(id=row.id), secret_key_of(app))

    assert one == row
    assert (row.user_email, row.user_name) == ("ada@example.com", "Ada")
    assert (row.ip_address, row.user_agent, row.actor_kind) == ("192.0.2.1", "curl/8", "anonymous")
    sent = await world.owner.fetchval(
        "SELECT payload FROM audit_outbox WHERE app_id = $1 AND event_id = $2", app, row.id
    )
    assert row.trace == json.loads(sent)["trace"]
    assert row.trace is not None
    assert len(row.trace) == 55


async def test_counts_by_type(world: World) -> None:
    """The most frequent type comes first."""
    app = (await world.create_application()).id
    await record(world, app, *[Logout(session_id=str(n)) for n in range(5)])
    await seal(world.tenancy, app)
    counts = await world.call(CountAudit(), secret_key_of(app))
    later = datetime.now(UTC) + timedelta(hours=1)

    assert (counts.event_types[0].event_type, counts.event_types[0].count) == ("logout", 5)
    assert (await world.call(CountAudit(start_date=later), secret_key_of(app))).event_types == []


async def test_only_who_may_read_the_log_reads_it(world: World) -> None:
    """Reading needs `audit:read` in the same application."""
    a, b = (await world.create_application()).id, (await world.create_application()).id
    await record(world, a, Logout(session_id="secret of a"))
    (row,) = (await world.call(ListAudit(event_type="logout"), secret_key_of(a))).audit_logs
    page = await world.call(ListAudit(limit=1), secret_key_of(a))
    reader = context(a, Caller("user", new_id(), frozenset({"users:read"})))

    for request in (ListAudit(), CountAudit(), ExportAudit(), ListCheckpoints(), FollowAudit()):
        with pytest.raises(Forbidden):
            await world.call(request, reader)
        with pytest.raises(Unauthenticated):
            await world.call(request, context(a))
    with pytest.raises(AuditRecordNotFound):
        await world.call(GetAuditRecord(id=row.id), secret_key_of(b))
    with pytest.raises(BadCursor):
        await world.call(ListAudit(cursor=page.next), secret_key_of(b))
    assert "secret of a" not in (await world.call(ListAudit(), secret_key_of(b))).model_dump_json()
    assert all(r.app_id == b for r in await everything(world, secret_key_of(b)))


async def test_an_export_is_whole_and_in_the_order_of_its_chain(world: World) -> None:
    """Each part fits into a message. Together they contain every event once, in order."""
    app = (await world.create_application()).id
    long = "x" * 3000
    for begin in range(0, 600, 100):
        await record(
            world, app, *[Logout(session_id=f"{n} {long}") for n in range(begin, begin + 100)]
        )
    piece = await world.call(ExportAudit(), secret_key_of(app))
    records = await everything(world, secret_key_of(app))
    logouts = [r.event_data["session_id"].split()[0] for r in records if r.event_type == "logout"]

    assert len(piece.model_dump_json()) < 900_000
    assert piece.next is not None
    assert logouts == [str(n) for n in range(600)]
    assert [r.chain.seq for r in records] == list(range(1, len(records) + 1))
    filtered = await everything(world, secret_key_of(app), event_type="api_key_created")
    assert [r.event_type for r in filtered] == ["api_key_created"] * 2


async def test_the_log_cannot_be_changed(world: World) -> None:
    """The roles of the service, upkeep and the owner cannot change the log."""
    app = world.app_id = (await world.create_application()).id
    await record(world, app, Logout(session_id="kept"))
    await world.call(ListCheckpoints(), secret_key_of(app))
    await seal(world.tenancy, app, sign=True)
    changes = (
        "UPDATE audit_logs SET event_type = 'x' WHERE app_id = '{app}'",
        "DELETE FROM audit_logs WHERE app_id = '{app}'",
        "UPDATE audit_chain SET hash = '' WHERE app_id = '{app}'",
        "DELETE FROM audit_chain WHERE app_id = '{app}'",
        "DELETE FROM audit_checkpoints WHERE app_id = '{app}'",
    )
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.IntegrityConstraintViolationError)
    for role in ("owner", "tenancy", "identity", "oidc", "rbac", "upkeep"):
        db = await asyncpg.connect(world.dsn(role), server_settings={"aero2.app_id": app})
        for change in changes:
            if role == "upkeep" and change.startswith("DELETE FROM audit_logs"):
                continue  # the one task of retention
            with pytest.raises(refused):
                await db.execute(change.format(app=app))
        await db.close()


async def test_a_deleted_user_leaves_the_events_without_name(world: World) -> None:
    """The row stays and its user_id becomes null. Nothing else changes."""
    app = (await world.create_application()).id
    ada = await user(world, app)
    await record(world, app, UserCreated(user_id=ada, by="sign_up"), user_id=ada)
    (before,) = (await world.call(ListAudit(user_id=ada), secret_key_of(app))).audit_logs
    await world.owner.execute("DELETE FROM users WHERE app_id = $1 AND id = $2", app, ada)
    after = await world.call(GetAuditRecord(id=before.id), secret_key_of(app))

    assert after.user_id is None
    assert after.user_email is None
    gone = {"user_id": None, "user_email": None, "user_name": None}
    assert after == before.model_copy(update=gone)


async def test_retention_takes_the_old_and_leaves_others_alone(world: World) -> None:
    """Each application has its own retention, and an event says what was deleted."""
    brief, ever = (await world.create_application()).id, (await world.create_application()).id
    await world.owner.execute(
        """UPDATE applications SET settings = settings || '{"audit_retention_days": 30}'
        WHERE id = $1""",
        brief,
    )
    for app in (brief, ever):
        await record(world, app, *[Logout(session_id=str(n)) for n in range(3)])
    later = datetime.now(UTC) + timedelta(days=31)
    clusters = world.tenancy.everywhere()
    gone = [await audit_retention.delete_old_events(deps, now=later) for deps in clusters]

    assert sum(gone) >= 3
    assert await world.event_types(app_id=brief) == ["audit_pruned"]
    assert (await world.event_types(app_id=ever)).count("logout") == 3
    assert not any([await audit_retention.delete_old_events(deps) for deps in clusters])


async def test_retention_leaves_no_hole_in_the_chain(world: World) -> None:
    """An old event that was sealed late stays until those before it are deleted."""
    app = world.app_id = (await world.create_application()).id
    now = datetime.now(UTC)
    await record(world, app, Logout(session_id="young"))
    await seal(world.tenancy, app, sign=True)
    await world.owner.execute(
        """INSERT INTO audit_logs (app_id, id, event_type, created_at)
        VALUES ($1, $2, 'late', $3)""",
        app,
        new_id(),
        now - timedelta(minutes=5),
    )
    await seal(world.tenancy, app, sign=True)
    async with world.tenancy.upkeep_db.unbound_transaction() as db:
        gone = await audit_rows.delete_oldest(
            db, app_id=app, before=now - timedelta(minutes=1), limit=100
        )

    assert gone == 0
    assert "late" in await world.event_types(app_id=app)


async def test_retention_takes_events_of_an_application_that_is_gone(world: World) -> None:
    """An event may be written during the deletion, since no foreign key prevents it (ADR 5).
    Retention deletes it."""
    app = world.app_id = (await world.create_application()).id
    gone = new_id()
    await world.owner.execute(
        """
        INSERT INTO audit_logs (app_id, id, event_type)
        SELECT app_id, gen_random_uuid(), 'late' FROM unnest($1::uuid[]) AS app_id
        """,
        [gone, gone, app],
    )
    taken = await audit_retention.delete_old_events(world.tenancy)
    left = await world.owner.fetch("SELECT app_id FROM audit_logs WHERE event_type = 'late'")

    assert taken == 2
    assert [str(row["app_id"]) for row in left] == [app]


async def test_events_of_an_unknown_user_are_not_found(world: World) -> None:
    """An unknown user and one of another application are not found. A user without events has an
    empty list."""
    a, b = (await world.create_application()).id, (await world.create_application()).id
    ada, stranger = await user(world, a), await user(world, b)

    for unknown in (stranger, new_id()):
        with pytest.raises(UserNotFound):
            await world.call(ListUserAudit(user_id=unknown), secret_key_of(a))

    assert (await world.call(ListUserAudit(user_id=ada), secret_key_of(a))).audit_logs == []
    await record(world, a, Logout(session_id="x"), user_id=ada)
    (row,) = (await world.call(ListUserAudit(user_id=ada), secret_key_of(a))).audit_logs
    assert row.user_id == ada


async def test_users_read_their_own_log(world: World) -> None:
    """A user reads what happened to their account: who acted as them, and why. Neither the data of
    other events nor the address of somebody else is in it, and no other user's events are."""
    world.app_id = await world.application()
    ada, bob = await user(world, world.app_id), await user(world, world.app_id, "bob@example.com")
    started = ImpersonationStarted(
        session_id=new_id(), user_id=ada, actor_id=bob, actor_kind="user", reason="help", minutes=5
    )
    failed = LoginFailed(method="password", reason="locked")
    await record(world, world.app_id, failed, started, user_id=ada)
    await record(world, world.app_id, Logout(session_id=new_id()), user_id=bob)
    own = context(world.app_id, Caller("user", ada), ip="192.0.2.9", agent="curl/9")
    async with world.tenancy.db.transaction(own) as tx:
        await audit.record(tx, own, Logout(session_id=new_id()))

    listed = (await world.call(ListOwnAudit(), own)).audit_logs
    assert [(one.event_type, one.reason, one.ip_address) for one in listed] == [
        ("logout", None, "192.0.2.9"),
        ("impersonation_started", "help", None),
        ("login_failed", None, None),
    ]
    page = await world.call(ListOwnAudit(limit=1), own)
    rest = await world.call(ListOwnAudit(limit=2, cursor=page.next), own)
    assert [one.id for one in [*page.audit_logs, *rest.audit_logs]] == [one.id for one in listed]
    developer = context(world.app_id, Caller("developer", ada, frozenset({"*"})))
    with pytest.raises(Forbidden):
        await world.call(ListOwnAudit(), developer)
