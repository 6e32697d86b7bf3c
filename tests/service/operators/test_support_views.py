"""Support views: an operator reads the data of one user for a reason and for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.kit.world import World

from common.context import Caller, Context
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.support_views import (
    GetSupportView,
    OpenedSupportView,
    OpenSupportView,
    SupportViewNotOpen,
)
from common.contracts.users import UserNotFound
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden
from common.sweeps import sweep
from identity.queries.sweeps import EXPIRED

REASON = "ticket 4711"


async def opened(
    world: World, ctx: Context, user_id: str, app_id: str | None = None
) -> OpenedSupportView:
    call = OpenSupportView(application_id=app_id or world.app_id, user_id=user_id, reason=REASON)
    return await world.call(call, ctx)


def view_of(world: World, user_id: str) -> GetSupportView:
    return GetSupportView(application_id=world.app_id, user_id=user_id)


async def test_a_view_shows_the_user_and_no_metadata(world: World, operator: Context) -> None:
    """It has profile, factors, sessions and events of this user, the reason, and half an hour."""
    person = await world.person(
        email=f"{new_id()}@example.com",
        name="Ada",
        private_metadata='{"note": "secret-note"}',
    )
    await world.person(email=f"{new_id()}@example.com", name="Somebody Else")
    result = await opened(world, operator, person.user_id)
    view = await world.call(view_of(world, person.user_id), operator)

    assert (view.user.id, view.user.name, view.reason) == (person.user_id, "Ada", REASON)
    assert (view.application.id, view.application.name) == (world.app_id, "Shop")
    assert [session.id for session in view.sessions] == [person.session.session_id]
    assert [event.event_type for event in view.events] == ["support_view_opened"]
    assert view.expires_at == result.expires_at
    left = await world.owner.fetchval("SELECT $1::timestamptz - now()", result.expires_at)
    assert 1700 < left.total_seconds() <= 1800
    text = view.model_dump_json()
    assert "secret-note" not in text
    assert "Somebody Else" not in text


async def test_both_logs_have_the_opening_once(world: World, operator: Context) -> None:
    """The log of the application and that of the Dashboard. Reading the view records nothing more."""
    user_id = await world.insert_user()
    await opened(world, operator, user_id)
    for _ in range(2):
        await world.call(view_of(world, user_id), operator)
    ((name, data),) = await world.events()
    in_dashboard = [
        data
        for kind, data in await world.events(DASHBOARD, operator.caller.id)
        if kind == "support_view_opened"
    ]

    assert name == "support_view_opened"
    assert in_dashboard == [data]
    assert (data["user_id"], data["reason"]) == (user_id, REASON)
    row = await world.owner.fetchrow(
        "SELECT user_id, actor_kind, actor_id FROM audit_logs WHERE app_id = $1", world.app_id
    )
    assert tuple(row or ()) == (user_id, "developer", operator.caller.id)


async def test_a_developer_can_be_viewed(world: World, operator: Context) -> None:
    """The Dashboard is an application too: its log has the event once."""
    user_id = await world.insert_user(DASHBOARD)
    await opened(world, operator, user_id, DASHBOARD)
    events = await world.events(DASHBOARD, user_id)

    assert [name for name, _ in events] == ["support_view_opened"]


async def test_a_view_is_open_to_one_session_and_user(world: World, operator: Context) -> None:
    """Another session of the operator, another operator, and another user need a reason of their own."""
    user_id, other_id = await world.insert_user(), await world.insert_user()
    await opened(world, operator, user_id)
    caller = operator.caller
    for ctx, whom in (
        (operator, other_id),
        (operator.with_caller(replace(caller, session_id=new_id())), user_id),
        (operator.with_caller(replace(caller, id=new_id())), user_id),
    ):
        with pytest.raises(SupportViewNotOpen):
            await world.call(view_of(world, whom), ctx)
    elsewhere = GetSupportView(application_id=world.other_app_id, user_id=user_id)
    with pytest.raises(SupportViewNotOpen):
        await world.call(elsewhere, operator)


async def test_a_view_ends(world: World, operator: Context) -> None:
    """After half an hour it is as if it had never been open, and the sweep deletes it. A new reason opens
    it again."""
    user_id = await world.insert_user()
    await opened(world, operator, user_id)
    await world.owner.execute(
        "UPDATE support_views SET expires_at = now() - interval '1 second' WHERE user_id = $1",
        user_id,
    )
    with pytest.raises(SupportViewNotOpen):
        await world.call(view_of(world, user_id), operator)
    swept = await sweep(world.sweep_db, {"support_views": EXPIRED["support_views"]})
    await opened(world, operator, user_id)

    assert swept["support_views"] >= 1
    assert (await world.call(view_of(world, user_id), operator)).user.id == user_id


async def test_a_user_who_does_not_exist_has_no_view(world: World, operator: Context) -> None:
    """Neither a user of another application nor an unknown application. Nothing is recorded."""
    user_id = await world.insert_user(world.other_app_id)
    for app_id in (world.app_id, new_id()):
        with pytest.raises(UserNotFound):
            await opened(world, operator, user_id, app_id)

    assert await world.events() == []
    assert await world.events(DASHBOARD, operator.caller.id) == []


async def test_others_may_not_open_or_read(
    world: World, operator: Context, developer: Context
) -> None:
    """Developers, keys, tokens and callers in an application are refused, and nothing is recorded."""
    user_id = await world.insert_user()
    caller = operator.caller
    key = Caller("secret_key", new_id(), frozenset({"*"}))
    for ctx in (
        developer,
        operator.with_caller(key),
        operator.with_caller(replace(caller, by_token=True)),
        operator.with_caller(replace(caller, actor_id=new_id())),
        operator.with_application(world.app_id).with_caller(key),
        operator.with_application(world.app_id),
    ):
        with pytest.raises(Forbidden):
            await opened(world, ctx, user_id)
        with pytest.raises(Forbidden):
            await world.call(view_of(world, user_id), ctx)
    stale = operator.with_caller(replace(caller, proven_at=1))
    with pytest.raises(FreshSignInNeeded):
        await opened(world, stale, user_id)

    assert await world.events() == []


async def test_a_view_goes_with_its_user(world: World, operator: Context) -> None:
    """A deleted user leaves no support view behind."""
    user_id = await world.insert_user()
    await opened(world, operator, user_id)
    await world.owner.execute(
        "DELETE FROM users WHERE app_id = $1 AND id = $2", world.app_id, user_id
    )
    with pytest.raises(SupportViewNotOpen):
        await world.call(view_of(world, user_id), operator)
