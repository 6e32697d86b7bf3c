"""One act on many users: each row is done once, whatever breaks in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.world import World

from common.context import Caller
from common.contracts.base import Request
from common.contracts.passwords import SignInWithPassword
from common.contracts.rights import Rights
from common.contracts.roles import NotHeld
from common.contracts.user_batches import (
    AddUserImportRows,
    BatchClosed,
    BatchNotFound,
    CancelUserBatch,
    CountChanged,
    DeleteUsers,
    GetUserBatch,
    ListUserBatches,
    ListUserBatchResults,
    RowsOutOfOrder,
    StartUserBatch,
    StartUserImport,
    TooManyBatches,
    UserBatch,
)
from common.contracts.users import CreateUser, GetUser, ListUsers, UserFilter
from common.ids import new_id
from common.problems import Forbidden, Invalid, Unavailable
from identity import user_batch_worker, user_batches, user_state
from identity.queries import user_batch_parts


@pytest.fixture(autouse=True)
async def nothing_due(world: World) -> None:
    """Ends the batches of other tests, since the worker sees all applications."""
    await world.owner.execute("DELETE FROM user_batches")


def people(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"email": f"u{number}@example.com"} for number in range(first, first + count)]


async def ask(world: World, request: Request[Any], caller: Caller = ADMIN) -> Any:
    return await world.call(request, caller)


async def work(world: World) -> int:
    """Does all parts that are due. Returns how many there were."""
    parts = 0
    while await user_batch_worker.work_once(world.identity):
        parts += 1
    return parts


async def users_in(world: World) -> int:
    count: int = await world.owner.fetchval(
        "SELECT count(*) FROM users WHERE app_id = $1", world.app_id
    )
    return count


async def events_of(world: World, *types: str) -> list[tuple[str, Any]]:
    return [event for event in await world.events() if event[0] in types]


async def test_an_import_goes_on_by_itself(world: World) -> None:
    """Rows are stored when they arrive and done in parts. The batch counts each row once, and the log
    has one event for the start, the end and the users."""
    batch = await ask(world, StartUserImport(users=people(150), complete=False))
    more = AddUserImportRows(batch_id=batch.id, first=150, users=[*people(99, 149), {"name": "?"}])
    assert batch.state == "open"
    assert await work(world) == 0

    await ask(world, more)
    again = await ask(world, more)
    assert (again.state, again.total) == ("running", 250)
    assert await work(world) == 3
    batch = await ask(world, GetUserBatch(batch_id=batch.id))

    assert (batch.state, batch.done, batch.succeeded) == ("done", 250, 248)
    assert (batch.unchanged, batch.failed) == (1, 1)
    assert await users_in(world) == 248
    assert await events_of(world, "users_imported") == [
        ("users_imported", {"count": 248, "batch_id": batch.id})
    ]
    assert len(await events_of(world, "user_batch_started", "user_batch_ended")) == 2
    assert (await ask(world, ListUserBatches())).batches[0] == batch


async def test_a_failed_row_is_told_without_secrets(world: World) -> None:
    """The result of a refused row has its number, its errors and its known fields. Passwords, hashes
    and fields with unknown names are neither in it nor readable in the database."""
    row = {"email": "x", "name": "Ada", "password": "hush-hush", "passwordHash": "hush-hush"}
    batch = await ask(world, StartUserImport(users=[{"email": "ok@example.com"}, row]))
    stored = await world.owner.fetch("SELECT * FROM user_batch_parts")
    assert "hush" not in str(stored)
    assert "hush" not in repr(StartUserImport(users=[row]))
    await work(world)
    failed = await ask(world, ListUserBatchResults(batch_id=batch.id, failed=True))
    (result,) = failed.results

    assert (result.row, result.status, result.record) == (
        1,
        "invalid",
        {"email": "x", "name": "Ada"},
    )
    assert {error["field"] for error in result.errors} >= {"email", "passwordHash"}
    assert "hush" not in str(await world.owner.fetch("SELECT * FROM user_batch_parts"))
    assert "hush" not in str(await world.events())
    everything = await ask(world, ListUserBatchResults(batch_id=batch.id))
    assert [one.status for one in everything.results] == ["created", "invalid"]
    end = await ask(world, ListUserBatchResults(batch_id=batch.id, after=everything.next))
    assert (end.results, end.next) == ([], None)


async def test_an_imported_password_works(world: World) -> None:
    """A password of a row signs its user in."""
    user = {"email": "ada@example.com", "email_verified": True, "password": PASSWORD}
    await ask(world, StartUserImport(users=[user]))
    await work(world)
    signed = await world.call(SignInWithPassword(email="ada@example.com", password=PASSWORD))

    assert signed.full().email == "ada@example.com"


async def test_cancelled_and_repeated_makes_no_doubles(world: World) -> None:
    """After a cancelled import the same rows can be imported: those that were done exist already."""
    batch = await ask(world, StartUserImport(users=people(250)))
    assert await user_batch_worker.work_once(world.identity)
    cancelled = await ask(world, CancelUserBatch(batch_id=batch.id))
    assert (cancelled.state, cancelled.done) == ("cancelled", 100)
    assert await ask(world, CancelUserBatch(batch_id=batch.id)) == cancelled
    assert await work(world) == 0
    assert await users_in(world) == 100
    inputs = await world.owner.fetchval("SELECT count(*) FROM user_batch_parts WHERE input <> ''")
    assert inputs == 0

    second = await ask(world, StartUserImport(users=people(250)))
    await work(world)
    second = await ask(world, GetUserBatch(batch_id=second.id))

    assert (second.succeeded, second.unchanged) == (150, 100)
    assert await users_in(world) == 250
    assert len(await events_of(world, "user_batch_ended")) == 2


async def test_a_crash_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies in the transaction of a part leaves no user of it behind. Another worker does
    the part when the first one's time is over."""
    batch = await ask(world, StartUserImport(users=people(120)))
    assert await user_batch_worker.work_once(world.identity)
    finish = user_batch_parts.finish

    async def die(*args: Any, **more: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(user_batch_parts, "finish", die)
    with pytest.raises(KeyboardInterrupt):
        await user_batch_worker.work_once(world.identity)
    monkeypatch.setattr(user_batch_parts, "finish", finish)
    assert await users_in(world) == 100
    assert await work(world) == 0
    await world.owner.execute("UPDATE user_batch_parts SET due_at = now() WHERE due_at > now()")
    assert await work(world) == 1
    done = await ask(world, GetUserBatch(batch_id=batch.id))

    assert (done.state, done.succeeded, await users_in(world)) == ("done", 120, 120)


async def test_a_part_that_fails_again_and_again_stops_the_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five tries the batch stops, and its rows are deleted."""
    batch = await ask(world, StartUserImport(users=people(1)))

    async def fail(*args: Any, **more: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(user_batch_worker, "_do_part", fail)
    for _ in range(6):
        assert await user_batch_worker.work_once(world.identity)
        await world.owner.execute("UPDATE user_batch_parts SET due_at = now() WHERE due_at > now()")
    stopped = await ask(world, GetUserBatch(batch_id=batch.id))

    assert (stopped.state, stopped.done) == ("stopped", 0)
    assert await world.owner.fetchval("SELECT input FROM user_batch_parts") is None


async def test_work_ends_with_the_session_that_started_it(world: World) -> None:
    """A batch stops if the session of who started it has ended, or its user is disabled."""
    created = await ask(world, CreateUser(email="boss@example.org", email_verified=True,
                                          password=PASSWORD))  # fmt: skip
    signed = await world.call(SignInWithPassword(email="boss@example.org", password=PASSWORD))
    boss = replace(as_user(signed), permissions=frozenset({"*"}))
    world.stand_ins.rbac.rights[created.id] = Rights(permissions=["users:write"])
    first = await ask(world, StartUserImport(users=people(1)), boss)
    await work(world)
    assert (await ask(world, GetUserBatch(batch_id=first.id))).state == "done"
    assert (await events_of(world, "users_imported"))[0][1]["count"] == 1

    second = await ask(world, StartUserImport(users=people(1, 5)), boss)
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", created.id)
    await work(world)

    assert (await ask(world, GetUserBatch(batch_id=second.id))).state == "stopped"
    assert await users_in(world) == 2


async def test_rows_come_in_order(world: World) -> None:
    """Rows with a gap before them, and rows for a batch that has all of them, are refused."""
    batch = await ask(world, StartUserImport(users=people(2), complete=False))
    with pytest.raises(RowsOutOfOrder) as refused:
        await ask(world, AddUserImportRows(batch_id=batch.id, first=3, users=people(1)))
    assert refused.value.extra == {"total": 2}
    await ask(world, AddUserImportRows(batch_id=batch.id, first=2, users=people(1)))
    with pytest.raises(BatchClosed):
        await ask(world, AddUserImportRows(batch_id=batch.id, first=3, users=people(1)))
    with pytest.raises(BatchNotFound):
        await ask(world, AddUserImportRows(batch_id=new_id(), first=0, users=people(1)))


async def test_batches_of_an_application_are_bounded(world: World) -> None:
    """The eleventh batch waits for another one to end. Other applications do not notice."""
    for _ in range(user_batches.MOST_ACTIVE):
        batch = await ask(world, StartUserImport(users=people(1)))
    with pytest.raises(TooManyBatches):
        await ask(world, StartUserImport(users=people(1)))
    await world.call(StartUserImport(users=people(1)), ADMIN, world.other_app_id)
    await ask(world, CancelUserBatch(batch_id=batch.id))
    await ask(world, StartUserImport(users=people(1)))


async def created(world: World, count: int, **more: Any) -> list[str]:
    return [
        (await ask(world, CreateUser(email=f"u{number}@example.com", **more))).id
        for number in range(count)
    ]


async def ended(world: World, batch: UserBatch) -> UserBatch:
    await work(world)
    done: UserBatch = await ask(world, GetUserBatch(batch_id=batch.id))
    return done


async def test_acts_on_chosen_users(world: World) -> None:
    """Only the chosen users are disabled. The second time changes nothing and writes no event. An id
    that does not exist is told."""
    ids = await created(world, 3)
    chosen = [ids[0], ids[1], ids[0], new_id()]
    first = await ended(world, await ask(world, StartUserBatch(act="disable", user_ids=chosen)))
    second = await ended(world, await ask(world, StartUserBatch(act="disable", user_ids=chosen)))
    disabled = [(await ask(world, GetUser(user_id=id))).disabled for id in ids]

    assert disabled == [True, True, False]
    assert (first.total, first.succeeded, first.failed) == (3, 2, 1)
    assert (second.succeeded, second.unchanged, second.failed) == (0, 2, 1)
    assert len(await events_of(world, "user_disabled")) == 2
    results = await ask(world, ListUserBatchResults(batch_id=first.id, failed=True))
    assert [(one.row, one.status) for one in results.results] == [(2, "missing")]

    enabled = await ended(world, await ask(world, StartUserBatch(act="enable", user_ids=ids)))
    assert (enabled.succeeded, enabled.unchanged) == (2, 1)


async def test_acts_on_all_that_match(world: World) -> None:
    """All users of a filter are meant, and only those. If their number has changed by more than a
    twentieth, nothing begins."""
    await created(world, 3)
    await ask(world, CreateUser(email="other@example.com"))
    u = UserFilter(search="u")
    with pytest.raises(CountChanged) as refused:
        await ask(world, StartUserBatch(act="disable", filter=u, count=2))
    assert refused.value.extra == {"count": 3}
    batch = await ask(world, StartUserBatch(act="disable", filter=u, count=3))
    await ended(world, batch)
    disabled = (await ask(world, ListUsers(disabled=True))).users

    assert sorted(user.email or "" for user in disabled) == [f"u{n}@example.com" for n in range(3)]


@pytest.mark.parametrize("fields", [{}, {"filter": UserFilter()}, {"count": 3}])
async def test_nothing_chosen_is_refused(world: World, fields: dict[str, Any]) -> None:
    """A batch names its users, or a filter with the number that the caller saw."""
    with pytest.raises(Invalid):
        await ask(world, StartUserBatch(act="disable", **fields))
    with pytest.raises(Invalid):
        await ask(world, DeleteUsers(**fields))
    assert (await ask(world, ListUserBatches())).batches == []


async def test_users_are_deleted_once(world: World) -> None:
    """A deletion that is repeated finds nobody. The log has one event for each user."""
    ids = await created(world, 2)
    first = await ended(world, await ask(world, DeleteUsers(user_ids=ids)))
    second = await ended(world, await ask(world, DeleteUsers(user_ids=ids)))

    assert (first.succeeded, second.failed, await users_in(world)) == (2, 2, 0)
    assert len(await events_of(world, "user_deleted")) == 2


async def test_a_role_needs_its_permission(world: World) -> None:
    """Giving a role to many users needs the permission to give it to one."""
    (id,) = await created(world, 1)
    give = StartUserBatch(act="assign_role", role_id="editor", user_ids=[id])
    writer = replace(ADMIN, permissions=frozenset({"users:write"}))
    with pytest.raises(Forbidden):
        await ask(world, give, writer)
    with pytest.raises(Invalid):
        await ask(world, give.model_copy(update={"role_id": None}))


async def test_a_refusal_is_told_for_its_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the caller may not change is refused. The other users are done."""
    ids = await created(world, 2)
    act = user_state.disable

    async def guarded(deps: Any, ctx: Any, request: Any) -> Any:
        if request.user_id == ids[0]:
            raise NotHeld
        return await act(deps, ctx, request)

    monkeypatch.setattr(user_state, "disable", guarded)
    batch = await ended(world, await ask(world, StartUserBatch(act="disable", user_ids=ids)))
    results = (await ask(world, ListUserBatchResults(batch_id=batch.id))).results

    assert [(one.status, one.code) for one in results] == [
        ("refused", NotHeld.code),
        ("done", None),
    ]
    assert (batch.succeeded, batch.failed) == (1, 1)


MANY = """
    INSERT INTO users (app_id, id, email, email_normalized, name, disabled)
    SELECT $1, gen_random_uuid(), i || '@example.com', i || '@example.com', 'Anna', i % 700 = 0
    FROM generate_series(1, 2800) i
"""


async def test_a_batch_by_a_search_has_every_user_who_matches(world: World) -> None:
    """A page of the list looks at 1,000 users at most. A batch goes on to the last one."""
    await world.owner.execute(MANY, world.app_id)
    some = UserFilter(search="anna", disabled=True)

    batch = await world.call(StartUserBatch(act="enable", filter=some, count=4), ADMIN)

    assert batch.total == 4
