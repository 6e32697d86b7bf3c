"""A call that changes nothing writes no event, sends no mail and invalidates nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from tests.kit.callers import ADMIN, as_user
from tests.kit.world import World

from common.contracts.base import Request
from common.contracts.me import UpdateMe
from common.contracts.passwords import ChangePassword, SignInWithPassword
from common.contracts.profiles import MyChanges, UserChanges
from common.contracts.sessions import RevokeUserSessions
from common.contracts.user_import import ImportUsers
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EnableUser,
    ForceReset,
    UnlockUser,
    UpdateUser,
)
from common.ids import new_id
from common.problems import Problem


async def _quiet(world: World, request: Request[Any], **more: Any) -> None:
    """Calls, and asserts that neither events nor mails were written, even if the call is refused."""
    events, mails = await world.events(), len(await world.mails())
    with suppress(Problem):
        await world.call(request, **more)
    assert (await world.events())[len(events) :] == [], request
    assert len(await world.mails()) == mails, request


async def test_a_change_that_was_refused_is_no_event(world: World) -> None:
    """A refused change writes no event: a taken address, an unknown user, an invalid date, a
    missing right."""
    user, other = await world.user(), await world.user()
    taken = UserChanges(email=other.email)
    await _quiet(world, UpdateUser(user_id=user.id, changes=taken), caller=ADMIN)
    await _quiet(world, CreateUser(email=other.email), caller=ADMIN)
    await _quiet(world, UpdateUser(user_id=user.id, changes=UserChanges(name="Eve")))
    for request in (DisableUser, EnableUser, DeleteUser, ForceReset, UnlockUser):
        await _quiet(world, request(user_id=new_id()), caller=ADMIN)
        await _quiet(world, request(user_id=user.id))


async def test_what_is_already_so_is_no_event(world: World) -> None:
    """Repeating a change writes no event: disabling, enabling, ending sessions, importing users who
    exist."""
    user = await world.user()
    await _quiet(world, EnableUser(user_id=user.id), caller=ADMIN)
    await world.call(DisableUser(user_id=user.id), caller=ADMIN)
    await _quiet(world, DisableUser(user_id=user.id), caller=ADMIN)
    await _quiet(world, RevokeUserSessions(user_id=user.id), caller=ADMIN)
    await _quiet(world, UnlockUser(user_id=user.id), caller=ADMIN)
    await _quiet(world, ImportUsers(users=[{"email": user.email}]), caller=ADMIN)
    await _quiet(
        world, ImportUsers(users=[{"email": "new@example.com"}], dry_run=True), caller=ADMIN
    )
    await _quiet(world, ImportUsers(users=[{"email": "none"}]), caller=ADMIN)


async def test_an_empty_change_is_no_event(world: World) -> None:
    """A change without fields changes nothing."""
    user = await world.user()
    signed = await world.sign_in(user)
    await _quiet(world, UpdateUser(user_id=user.id, changes=UserChanges()), caller=ADMIN)
    await _quiet(world, UpdateMe(changes=MyChanges()), caller=as_user(signed))


async def test_one_wrong_password_locks_nobody(world: World) -> None:
    """One wrong password is recorded as a failure. It locks nothing and sends no mail."""
    user = await world.user()
    signed = await world.sign_in(user)
    before, mails = len(await world.events()), len(await world.mails())
    with pytest.raises(Problem):
        await world.call(SignInWithPassword(email=user.email or "", password="wrong"))
    assert [kind for kind, _ in (await world.events())[before:]] == ["login_failed"]
    before = len(await world.events())
    wrong = ChangePassword(current="wrong", password="a new and better phrase")
    with pytest.raises(Problem):
        await world.call(wrong, caller=as_user(signed))
    kinds = [kind for kind, _ in (await world.events())[before:]]
    assert not {"password_changed", "sign_in_locked"} & set(kinds)
    assert len(await world.mails()) == mails
