"""Identity dies after a commit, before its answer: who tries again gets one user, and one session."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN
from tests.kit.stand_ins import Crash
from tests.kit.world import World

from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.passwords import SignInWithPassword
from common.contracts.sign_up import SignUp
from common.contracts.users import CreateUser, EmailTaken
from identity import session_start

pytestmark = pytest.mark.fault("F2")

FORM: dict[str, Any] = {"browser": "b" * 32, "idempotency_key": "ar_request"}


async def died(world: World, monkeypatch: pytest.MonkeyPatch, request: Request[Any]) -> None:
    """Sends a request that begins a session. Its handler dies after the commit."""

    async def crash(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(session_start, "finish", crash)
        with pytest.raises(Crash):
            await world.call(request)


async def counted(world: World) -> tuple[int, int, int]:
    """Returns the numbers of users, of sessions and of `login` events of the application."""
    users, sessions = [
        await world.owner.fetchval(f"SELECT count(*) FROM {table} WHERE app_id = $1", world.app_id)
        for table in ("users", "user_sessions")
    ]
    return users, sessions, [kind for kind, _ in await world.events()].count("login")


async def test_a_sign_in_that_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser sends the form again, and has the session that was begun."""
    user = await world.user()
    assert user.email
    request = SignInWithPassword(email=user.email, password="correct horse battery staple", **FORM)
    await died(world, monkeypatch, request)
    again = await world.call(request)

    assert await world.live_session(again.token) == again.session
    assert await counted(world) == (1, 1, 1)


async def test_a_sign_up_that_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code is sent again: one user, who is signed in once."""
    flow = await world.call(SignUp(email="ada@example.com", browser="b" * 32))
    (mail,) = await world.mails()
    request = SignInWithCode(flow=flow.flow, code=mail.code, **FORM)
    await died(world, monkeypatch, request)
    again = await world.call(request)

    assert await world.live_session(again.token) == again.session
    assert await counted(world) == (1, 1, 1)


async def test_a_code_that_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or "", browser="b" * 32))
    (mail,) = await world.mails()
    request = SignInWithCode(flow=flow.flow, code=mail.code, **FORM)
    await died(world, monkeypatch, request)
    again = await world.call(request)

    assert await world.live_session(again.token) == again.session
    assert await counted(world) == (1, 1, 1)


async def test_a_user_that_is_created_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that lost the answer is told that the address is taken. There is one user."""
    commit = world.identity.db.transaction

    def crashing(*args: Any, **options: Any) -> Any:
        return _CrashAfter(commit(*args, **options))

    with monkeypatch.context() as patch:
        patch.setattr(type(world.identity.db), "transaction", lambda _, *a, **o: crashing(*a, **o))
        with pytest.raises(Crash):
            await world.call(CreateUser(email="ada@example.com"), ADMIN)
    refused = await world.refused(CreateUser(email="ada@example.com"), ADMIN)

    assert isinstance(refused, EmailTaken)
    assert (await counted(world))[0] == 1


class _CrashAfter:
    """A transaction whose process dies right after the commit."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction

    async def __aenter__(self) -> Any:
        return await self._transaction.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        await self._transaction.__aexit__(*error)
        if error[0] is None:
            raise Crash
