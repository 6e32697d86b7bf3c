"""The search for the users of one address in all applications."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from pydantic import ValidationError
from tests.kit.world import World

from aero2.migrate import ROLES
from common import audit
from common.context import Caller, Context
from common.contracts.audit_log import ListOwnAudit
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.user_search import SearchUsers
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Problem, RateLimited
from common.testing import context
from identity import user_search
from identity.queries import user_search as rows

REASON = "ticket 4711"


def request_for(email: str) -> SearchUsers:
    return SearchUsers(email=email, reason=REASON)


async def searches(world: World, operator: Context) -> list[dict[str, object]]:
    """Returns the recorded searches of this operator."""
    events = await world.events(DASHBOARD, operator.caller.id)
    return [data for name, data in events if name == "users_searched"]


async def test_a_search_finds_one_user_in_each_application(world: World, operator: Context) -> None:
    """The result has application, id and state, and neither profile nor address. Other spellings of the
    address are the same address."""
    email = f"{new_id()}@example.com"
    user_id = await world.insert_user(email=email, name="Secret Name", email_verified=True)
    other_id = await world.insert_user(world.other_app_id, email=email, disabled=True)
    await world.insert_user(email=f"x{email}")
    located = await world.call(request_for(email.upper()), operator)

    assert {(one.application.id, one.user_id, one.state) for one in located.users} == {
        (world.app_id, user_id, "active"),
        (world.other_app_id, other_id, "disabled"),
    }
    assert {one.application.name for one in located.users} == {"Shop"}
    assert not located.has_more
    text = located.model_dump_json()
    assert "Secret Name" not in text
    assert email not in text


async def test_each_log_has_the_search_once(world: World, operator: Context) -> None:
    """The Dashboard's log names the operator, the reason and a hash of the address. The log of each
    application names its own user only."""
    email = f"{new_id()}@example.com"
    user_id = await world.insert_user(email=email)
    await world.insert_user(world.other_app_id, email=email)
    await world.call(request_for(email), operator)
    (search,) = await searches(world, operator)
    events = await world.events()
    row = await world.owner.fetchrow(
        "SELECT user_id, actor_kind, actor_id, session_id FROM audit_logs WHERE app_id = $1",
        world.app_id,
    )

    assert search["reason"] == REASON
    assert events == [("user_located", {"user_id": user_id, "reason": REASON})]
    assert tuple(row or ()) == (user_id, "developer", operator.caller.id, None)
    assert await world.event_types(app_id=world.other_app_id) == ["user_located"]
    everything = await world.owner.fetchval(
        "SELECT string_agg(a::text, '') FROM audit_logs a WHERE event_data::text LIKE '%ticket%'"
    )
    assert email not in everything


async def test_a_search_that_finds_nobody_is_recorded(world: World, operator: Context) -> None:
    """Equal addresses have equal hashes, others have others."""
    email = f"{new_id()}@example.com"
    for address in (email, email, f"x{email}"):
        assert (await world.call(request_for(address), operator)).users == []
    first, second, third = await searches(world, operator)

    assert first["address_hash"] == second["address_hash"] != third["address_hash"]
    assert await world.events() == []


async def test_the_record_comes_before_the_query(
    world: World, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that fails while it reads has been recorded."""

    async def fail(*_: object, **__: object) -> None:
        raise asyncpg.QueryCanceledError("too slow")

    monkeypatch.setattr(rows, "by_address", fail)
    with pytest.raises(Problem):
        await world.call(request_for("ada@example.com"), operator)

    assert len(await searches(world, operator)) == 1


async def test_nobody_is_shown_without_a_record(
    world: World, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the log of an application cannot be written, the operator learns nothing."""
    email = f"{new_id()}@example.com"
    await world.insert_user(email=email)
    await world.insert_user(world.other_app_id, email=email)
    record, calls = audit.record, []

    async def fail_second(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise asyncpg.QueryCanceledError("too slow")
        await record(*args, **kwargs)

    monkeypatch.setattr(audit, "record", fail_second)
    with pytest.raises(Problem):
        await world.call(request_for(email), operator)

    assert await world.events() == await world.events(world.other_app_id) == []


async def test_an_application_that_is_deleted_meanwhile_is_left_out(
    world: World, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are found and have their events. The log of the deleted one gets none."""
    email = f"{new_id()}@example.com"
    user_id = await world.insert_user(email=email)
    gone = await world.application()
    await world.insert_user(gone, email=email)
    by_address = rows.by_address

    async def deleted_after(*args: Any, **kwargs: Any) -> list[rows.AddressRow]:
        located = await by_address(*args, **kwargs)
        await world.owner.execute("DELETE FROM applications WHERE id = $1", gone)
        return located

    monkeypatch.setattr(rows, "by_address", deleted_after)
    located = await world.call(request_for(email), operator)

    assert [one.user_id for one in located.users] == [user_id]
    assert await world.event_types("user_located") == ["user_located"]
    left = "SELECT count(*) FROM audit_logs WHERE app_id = $1"
    assert await world.owner.fetchval(left, gone) == 0


async def test_others_may_not_search(world: World, operator: Context, developer: Context) -> None:
    """Developers, keys, tokens and callers in an application are refused, and nothing is recorded. An
    application may have a permission of the same name."""
    email = f"{new_id()}@example.com"
    await world.insert_user(email=email)
    caller = operator.caller
    key = Caller("secret_key", new_id(), frozenset({"*"}))
    in_person = replace(caller, permissions=frozenset({"platform:manage"}))
    before = await world.event_types("users_searched", app_id=DASHBOARD)
    for ctx in (
        developer,
        operator.with_caller(key),
        operator.with_caller(replace(caller, by_token=True)),
        operator.with_caller(replace(caller, actor_id=new_id())),
        operator.with_caller(replace(caller, session_id=None)),
        operator.with_application(world.app_id).with_caller(key),
        operator.with_application(world.app_id).with_caller(in_person),
        operator.with_application(world.app_id).with_caller(replace(in_person, kind="developer")),
    ):
        with pytest.raises(Forbidden):
            await world.call(request_for(email), ctx)

    assert await world.event_types("users_searched", app_id=DASHBOARD) == before
    assert await world.events() == []


async def test_a_search_needs_a_fresh_sign_in(world: World, operator: Context) -> None:
    """An operator whose last proof is old confirms first. Nothing is recorded."""
    stale = operator.with_caller(replace(operator.caller, proven_at=1))
    with pytest.raises(FreshSignInNeeded):
        await world.call(request_for("ada@example.com"), stale)

    assert await searches(world, operator) == []


@pytest.mark.parametrize("reason", ["", "  x ", "a\u202eb c", "x" * 301])
def test_a_search_needs_a_reason(reason: str) -> None:
    """Blanks do not count, and what turns the direction of the text around it is refused."""
    with pytest.raises(ValidationError):
        SearchUsers(email="ada@example.com", reason=reason)


async def test_searches_are_limited(world: World, operator: Context) -> None:
    """The 31st search of an hour is refused, and not recorded."""
    for _ in range(30):
        await world.call(request_for("nobody@example.com"), operator)
    with pytest.raises(RateLimited):
        await world.call(request_for("nobody@example.com"), operator)

    assert len(await searches(world, operator)) == 30


async def test_a_search_returns_a_bounded_number(
    world: World, operator: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applications beyond the limit are neither shown nor told, and the reply says that there are more."""
    monkeypatch.setattr(user_search, "MOST_FOUND", 1)
    email = f"{new_id()}@example.com"
    await world.insert_user(email=email)
    await world.insert_user(world.other_app_id, email=email)
    located = await world.call(request_for(email), operator)
    (one,) = located.users
    hidden = ({world.app_id, world.other_app_id} - {one.application.id}).pop()

    assert located.has_more
    assert await world.event_types(app_id=one.application.id) == ["user_located"]
    assert await world.events(hidden) == []


async def test_the_reason_is_for_the_team(world: World, operator: Context) -> None:
    """Users see in their own log that they were found. The reason may be about them, like a suspicion, so
    they see neither it nor where the operator was."""
    email = f"{new_id()}@example.com"
    user_id = await world.insert_user(email=email)
    await world.call(request_for(email), operator)
    own = context(world.app_id, Caller("user", user_id))
    (record,) = (await world.call(ListOwnAudit(), own)).audit_logs

    assert record.event_type == "user_located"
    assert (record.reason, record.ip_address) == (None, None)


@pytest.mark.parametrize("role", ROLES)
async def test_one_role_reads_addresses_of_all_applications(world: World, role: str) -> None:
    """Only the role of the search sees them, and neither a name nor a row of another table."""
    email = f"{new_id()}@example.com"
    await world.insert_user(email=email)
    db = await asyncpg.connect(world.dsn(role))
    try:
        rows = await db.fetch("SELECT id FROM users WHERE email_normalized = $1", email)
    except asyncpg.InsufficientPrivilegeError:
        rows = []
    if role == "search":
        for column in ("name", "email", "phone_number", "user_metadata"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.fetch(f"SELECT {column} FROM users")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute("UPDATE users SET disabled = true")
    await db.close()

    assert len(rows) == (role == "search")
