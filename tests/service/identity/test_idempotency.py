"""A form that is posted twice starts one session."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.world import World

from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.sessions import SignedInSession, SignOut
from common.contracts.sign_in import CodeSpent, LinkSpent, WrongCredentials

FORM: dict[str, Any] = {"browser": "b" * 32, "idempotency_key": "ar_request"}


async def counted(world: World) -> tuple[int, int, int]:
    """Returns the numbers of sessions, login events and mails of the application."""
    sessions = await world.owner.fetchval(
        "SELECT count(*) FROM user_sessions WHERE app_id = $1", world.app_id
    )
    logins = [kind for kind, _ in await world.events() if kind == "login"]
    return sessions, len(logins), len(await world.mails())


@pytest.mark.fault("F27")
async def test_two_posts_at_once_begin_one_session(world: World) -> None:
    """Both posts get the same token. There is one session, one login event and no mail."""
    user = await world.user()

    first, *others = await asyncio.gather(*(world.sign_in(user, **FORM) for _ in range(3)))

    assert [(one.token, one.session) for one in others] == 2 * [(first.token, first.session)]
    assert await world.live_session(first.token) == first.session
    assert await counted(world) == (1, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"browser": "c" * 32},
        {"idempotency_key": "ar_other"},
        {"idempotency_key": None},
        {"remember": True},
    ],
)
async def test_another_form_begins_another_session(world: World, other: dict[str, Any]) -> None:
    user = await world.user()

    first, second = await world.sign_in(user, **FORM), await world.sign_in(user, **FORM | other)

    assert first.token != second.token
    assert (await counted(world))[:2] == (2, 2)


async def test_another_user_of_the_form_begins_a_session_of_their_own(world: World) -> None:
    ann, bob = await world.user(), await world.user()

    first, second = await world.sign_in(ann, **FORM), await world.sign_in(bob, **FORM)

    assert (first.full().user_id, second.full().user_id) == (ann.id, bob.id)


async def test_the_password_is_asked_every_time(world: World) -> None:
    """The idempotency key of a form does not replace the password."""
    user = await world.user()
    await world.sign_in(user, **FORM)

    with pytest.raises(WrongCredentials):
        await world.sign_in(user, password="a wrong password", **FORM)


async def test_a_form_begins_a_new_session_once_the_first_is_over_or_old(world: World) -> None:
    """A second post starts a new session if the first one has ended or is too old."""
    user = await world.user()
    first = await world.sign_in(user, **FORM)
    await world.call(SignOut(token=first.token))
    second = await world.sign_in(user, **FORM)
    assert await world.live_session(second.token) is not None
    assert await world.live_session(first.token) is None

    other = FORM | {"idempotency_key": "ar_other"}
    third = await world.sign_in(user, **other)
    await world.owner.execute(
        "UPDATE user_sessions SET created_at = now() - interval '61 seconds' WHERE id = $1",
        third.full().id,
    )
    fourth = await world.sign_in(user, **other)
    assert len({one.token for one in (first, second, third, fourth)}) == 4


@pytest.mark.fault("F27")
@pytest.mark.parametrize("by", ["code", "link"])
async def test_a_mailed_code_or_link_posted_twice_begins_one_session(world: World, by: str) -> None:
    """Two posts get one session, at once or one after the other. It must be the browser that asked,
    and the session must not have ended."""
    user = await world.user()
    flow = await world.call(StartEmailCode(email=user.email or "", browser="b" * 32))
    (mail,) = await world.mails()
    proof: Request[SignedInSession]
    if by == "code":
        proof = SignInWithCode(flow=flow.flow, code=mail.code, **FORM)
    else:
        proof = SignInWithLink(token=mail.token, **FORM)

    first, second = await asyncio.gather(world.call(proof), world.call(proof))
    third = await world.call(proof)

    assert {first.token, second.token} == {third.token}
    assert (await counted(world))[:2] == (1, 1)
    others: list[dict[str, str | bool | None]] = [
        {"browser": "c" * 32},
        {"browser": None},
        {"remember": True},
        {"idempotency_key": "ar_other"},
        {"idempotency_key": None},
    ]
    for other in others:
        refused = await world.refused(proof.model_copy(update=other))
        assert isinstance(refused, (CodeSpent, LinkSpent))
    await world.call(SignOut(token=first.token))
    assert isinstance(await world.refused(proof), (CodeSpent, LinkSpent))
