"""Two replicas that put different master keys first, as while a new one is rolled out: what one has done for a
browser, the other one recognizes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.callers import PASSWORD
from tests.kit.second_factors import two_step_user
from tests.kit.world import HANDLERS, MASTER_KEY, World

from aero2.embedded.secrets import master_key
from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.passwords import SignInWithPassword
from common.contracts.protection import CaptchaFailed, GetProtection
from common.contracts.second_factors import CompleteSignIn
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import CodeSpent, LinkSpent
from common.crypto import Keys
from common.problems import Problem
from common.testing import LocalBus
from identity.deps import Deps

from .conftest import proof_of_work

NEW = master_key()
FORM: dict[str, Any] = {"browser": "b" * 32, "idempotency_key": "ar_request"}


def _replica(world: World, text: str) -> LocalBus:
    """Returns the bus of a replica with these master keys, of which the database remembers the eldest."""
    keys = replace(Keys.parse(text), eldest="k1")
    served: Deps = world.bus.handlers[SignInWithPassword][1]
    bus = LocalBus(dict(world.bus.handlers))
    limits = replace(served.limits, keys=keys)
    bus.serve(replace(served, keys=keys, limits=limits), HANDLERS["identity"])
    return bus


@pytest.fixture(params=["old first", "new first"])
def replicas(world: World, request: pytest.FixtureRequest) -> list[LocalBus]:
    texts = [f"{MASTER_KEY},{NEW}", f"{NEW},{MASTER_KEY}"]
    made = [_replica(world, text) for text in texts]
    return made if request.param == "old first" else made[::-1]


async def _refused(world: World, bus: LocalBus, request: Request[Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        await bus.call(world.ctx(), request)
    return caught.value


async def _sessions(world: World) -> int:
    number: int = await world.owner.fetchval(
        "SELECT count(*) FROM user_sessions WHERE app_id = $1", world.app_id
    )
    return number


def _password(email: str | None) -> SignInWithPassword:
    return SignInWithPassword(email=email or "", password=PASSWORD, **FORM)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_form_posted_at_both_begins_one_session(
    world: World, replicas: list[LocalBus], at_once: bool
) -> None:
    user = await world.user()
    post = _password(user.email)
    if at_once:
        first, second = await asyncio.gather(*(bus.call(world.ctx(), post) for bus in replicas))
    else:
        first, second = [await bus.call(world.ctx(), post) for bus in replicas]

    assert (second.token, second.session) == (first.token, first.session)
    assert await _sessions(world) == 1
    mails = await world.mails()
    assert not mails


@pytest.mark.parametrize("by", ["code", "link"])
async def test_a_mailed_code_or_link_posted_at_both_begins_one_session(
    world: World, replicas: list[LocalBus], by: str
) -> None:
    """Another browser gets nothing at either one."""
    user, (one, other) = await world.user(), replicas
    flow = await one.call(world.ctx(), StartEmailCode(email=user.email or "", browser="b" * 32))
    (mail,) = await world.mails()
    proof: Request[SignedInSession]
    if by == "code":
        proof = SignInWithCode(flow=flow.flow, code=mail.code, **FORM)
    else:
        proof = SignInWithLink(token=mail.token, **FORM)
    first = await one.call(world.ctx(), proof)
    second = await other.call(world.ctx(), proof)

    assert second.token == first.token
    assert await _sessions(world) == 1
    stolen = proof.model_copy(update={"browser": "c" * 32})
    assert isinstance(await _refused(world, other, stolen), (CodeSpent, LinkSpent))


async def test_a_second_factor_posted_at_both_completes_once(
    world: World, replicas: list[LocalBus]
) -> None:
    """So does the password before it: there is one half session and one session."""
    person, (one, other) = await two_step_user(world), replicas
    post = _password(person.user.email)
    half = await one.call(world.ctx(), post)
    assert (await other.call(world.ctx(), post)).token == half.token
    before = await _sessions(world)
    code = CompleteSignIn(token=half.token, code=person.app.code(), browser="b" * 32)
    first = await one.call(world.ctx(), code)
    second = await other.call(world.ctx(), code)

    assert second.signed_in.token == first.signed_in.token
    assert await _sessions(world) == before + 1


async def test_a_known_device_is_not_new_at_the_other(
    world: World, replicas: list[LocalBus]
) -> None:
    """A sign-in in the same browser sends no mail about a new device, and another browser does."""
    user, (one, other) = await world.user(), replicas
    await one.call(world.ctx(), _password(user.email))
    later = _password(user.email).model_copy(update={"idempotency_key": "ar_later"})
    assert not (await other.call(world.ctx(), later)).new_device
    assert not await world.mails()

    elsewhere = later.model_copy(update={"browser": "c" * 32})
    assert (await other.call(world.ctx(), elsewhere)).new_device


async def test_a_proof_of_work_counts_at_one_of_them(
    world: World, replicas: list[LocalBus]
) -> None:
    one, other = replicas
    world.configure(world.app_id, proof_of_work_bits=4)
    challenge = (await one.call(world.ctx(), GetProtection())).proof_challenge or ""
    request = StartEmailCode(email="eve@example.com", proof=proof_of_work(challenge, 4))
    await one.call(world.ctx(), request)

    assert isinstance(await _refused(world, other, request), CaptchaFailed)
