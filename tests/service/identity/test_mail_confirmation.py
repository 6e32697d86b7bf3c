"""Confirming a session with a code that was mailed to the user's own address."""

from __future__ import annotations

from tests.kit.callers import as_user
from tests.kit.world import World

from common import acr
from common.contracts.email_codes import ConfirmWithCode, StartEmailCode
from common.contracts.sign_in import CodeSpent, MethodOff, WrongCode

from .conftest import wrong


async def test_a_mailed_code_replaces_the_session(world: World) -> None:
    """The new session has a proof of this moment. The old token and the code work no more."""
    user = await world.user()
    signed = await world.sign_in(user)
    flow = await world.call(StartEmailCode(email=user.email or ""))
    call = ConfirmWithCode(flow=flow.flow, code=(await world.mail()).code)
    confirmed = await world.call(call, as_user(signed))

    assert confirmed.full().user_id == user.id
    assert confirmed.full().id != signed.full().id
    assert await world.live_session(signed.token) is None
    live = await world.live_session(confirmed.token)
    assert live is not None
    assert live.acr == acr.MAIL
    assert isinstance(await world.refused(call, as_user(confirmed)), CodeSpent)


async def test_the_code_of_another_user_confirms_nothing(world: World) -> None:
    """It is used up, and both sessions stay as they are."""
    ann, bob = await world.user(), await world.user("bob@example.com")
    signed = await world.sign_in(ann)
    flow = await world.call(StartEmailCode(email=bob.email or ""))
    code = (await world.mail()).code
    call = ConfirmWithCode(flow=flow.flow, code=code)
    assert isinstance(await world.refused(call, as_user(signed)), WrongCode)
    assert isinstance(await world.refused(call, as_user(await world.sign_in(bob))), CodeSpent)
    assert await world.live_session(signed.token) is not None


async def test_wrong_codes_end_the_flow(world: World) -> None:
    """After five wrong codes the right one confirms nothing."""
    user = await world.user()
    caller = as_user(await world.sign_in(user))
    flow = await world.call(StartEmailCode(email=user.email or ""))
    code = (await world.mail()).code
    for _ in range(5):
        bad = ConfirmWithCode(flow=flow.flow, code=wrong(flow, code))
        assert isinstance(await world.refused(bad, caller), WrongCode | CodeSpent)
    good = ConfirmWithCode(flow=flow.flow, code=code)
    assert isinstance(await world.refused(good, caller), CodeSpent)


async def test_an_application_without_mailed_codes_confirms_with_none(world: World) -> None:
    """A code from before the change is refused, and the session stays."""
    user = await world.user()
    signed = await world.sign_in(user)
    flow = await world.call(StartEmailCode(email=user.email or ""))
    call = ConfirmWithCode(flow=flow.flow, code=(await world.mail()).code)
    world.configure(world.app_id, auth_methods=["password"])
    assert isinstance(await world.refused(call, as_user(signed)), MethodOff)
    assert await world.live_session(signed.token) is not None
