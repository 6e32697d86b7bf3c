"""Guests: accounts without credentials, which become full users with their first one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.second_factors import complete, two_step_user
from tests.kit.world import World

from common import acr
from common.context import Caller
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.guests import CreateGuest, GuestsOff
from common.contracts.invitations import AcceptInvitation, InviteUser
from common.contracts.me import ChangeEmail, ConfirmEmail, GetMe
from common.contracts.passwords import ChangePassword, ResetPassword, SignInWithPassword, StartReset
from common.contracts.profiles import UserChanges
from common.contracts.protection import CaptchaFailed
from common.contracts.second_factors import SetUpTotp
from common.contracts.sessions import SignedInSession
from common.contracts.sign_up import SignUp
from common.contracts.users import GetUser, UpdateUser, UserNotFound
from common.ids import DASHBOARD
from common.problems import GuestRefused, RateLimited
from identity import guests
from identity.guest_expiry import GuestSweep
from identity.limits import GUEST_BY_IP

BROWSER = "a-browser-of-ours-that-is-long-enough-0000"
IDLE = """
    WITH sessions AS (
        UPDATE user_sessions SET last_active_at = now() - interval '31 days'
        WHERE app_id = $1 AND user_id = $2
    )
    UPDATE users SET created_at = now() - interval '31 days' WHERE app_id = $1 AND id = $2
    """


async def new_guest(world: World) -> SignedInSession:
    world.configure(world.app_id, guests=True)
    return await world.call(CreateGuest(browser=BROWSER))


def as_guest(signed: SignedInSession) -> Caller:
    return as_user(signed, guest=True)


async def signed_up(world: World, email: str, caller: Caller, **more: str) -> SignedInSession:
    """Signs up with an address, and enters the code at the browser of `caller`."""
    flow = await world.call(SignUp(email=email, **more))
    letter = await world.mail()
    return await world.call(SignInWithCode(flow=flow.flow, code=letter.code), caller=caller)


async def test_one_call_makes_a_guest(world: World) -> None:
    """The session of a guest has shown no factor, and says so. The user has neither an address nor
    a password."""
    guest = await new_guest(world)

    session = await world.live_session(guest.token)
    assert session is not None
    assert (session.guest, session.acr, session.amr, session.factor_times) == (
        True,
        acr.NO_FACTOR,
        [],
        {},
    )
    me = await world.call(GetMe(), caller=as_guest(guest))
    assert (me.guest, me.email, me.has_password) == (True, None, False)
    assert await world.event_types() == ["user_created", "login"]
    assert await world.mails() == []


async def test_guests_are_off_until_the_application_wants_them(world: World) -> None:
    """Without the setting nobody is created. The Dashboard never has guests."""
    assert isinstance(await world.refused(CreateGuest()), GuestsOff)
    world.configure(DASHBOARD, guests=True)
    assert isinstance(await world.refused(CreateGuest(), app_id=DASHBOARD), GuestsOff)
    count = "SELECT count(*) FROM users WHERE app_id = $1"
    assert await world.owner.fetchval(count, world.app_id) == 0


async def test_guests_are_limited_by_address_and_solve_the_challenge(world: World) -> None:
    """One network creates a bounded number of guests in each application, and each of them costs
    the challenge of the application."""
    for _ in range(GUEST_BY_IP.most):
        await new_guest(world)
    assert isinstance(await world.refused(CreateGuest()), RateLimited)
    world.configure(world.other_app_id, guests=True, proof_of_work_bits=4)
    refusal = await world.refused(CreateGuest(), app_id=world.other_app_id)
    assert isinstance(refusal, CaptchaFailed)


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_a_guest_who_signs_up_keeps_their_id(world: World, password: str | None) -> None:
    """The proven address belongs to the guest's account. The session gets a new id and is that of a
    full user."""
    guest = await new_guest(world)
    more = {"password": password} if password else {}
    signed = await signed_up(world, "ada@example.com", as_guest(guest), name="Ada", **more)

    session = signed.full()
    assert session.user_id == guest.full().user_id
    assert session.id != guest.full().id
    assert (session.guest, session.email, session.acr) == (False, "ada@example.com", acr.MAIL)
    assert await world.live_session(guest.token) is None
    user = await world.call(GetUser(user_id=session.user_id), caller=ADMIN)
    assert (user.guest, user.name, user.email_verified) == (False, "Ada", True)
    assert user.has_password is bool(password)
    events = dict(await world.events())
    assert events["guest_upgraded"]["method"] == ("password" if password else "email")
    assert (await world.event_types()).count("user_created") == 1


async def test_a_link_upgrades_as_a_code_does(world: World) -> None:
    """The link of a mail leads to the guest's account, too."""
    guest = await new_guest(world)
    flow = await world.call(StartEmailCode(email="ada@example.com", browser=BROWSER))
    request = SignInWithLink(token=(await world.mail()).token, browser=flow.browser)
    signed = await world.call(request, caller=as_guest(guest))

    assert signed.full().user_id == guest.full().user_id


async def test_an_upgrade_passes_the_gate(world: World) -> None:
    """Where two factors are required, the guest's session ends with the upgrade, and the user sets up
    a second factor first."""
    guest = await new_guest(world)
    world.configure(world.app_id, guests=True, mfa_policy="required")
    signed = await signed_up(world, "ada@example.com", as_guest(guest))

    assert signed.session is None
    assert signed.challenge is not None
    assert signed.challenge.kind == "mfa_setup_required"
    assert await world.live_session(guest.token) is None
    assert ("session", guest.full().id) in [
        (noun, id) for _, noun, id in world.invalidation.published
    ]


@pytest.mark.parametrize("way", ["code", "password"])
async def test_a_known_address_leaves_the_guest_alone(world: World, way: str) -> None:
    """A guest who signs in to an existing account is that account's user. The guest stays a guest,
    keeps the session, and an event names both ids."""
    user = await world.user("ada@example.com")
    guest = await new_guest(world)
    if way == "password":
        request = SignInWithPassword(email="ada@example.com", password=PASSWORD)
        signed = await world.call(request, caller=as_guest(guest))
    else:
        signed = await signed_up(world, "ada@example.com", as_guest(guest))

    assert signed.full().user_id == user.id
    kept = await world.live_session(guest.token)
    assert kept is not None
    assert kept.guest
    events = dict(await world.events())
    assert events["guest_kept"] == {"guest_id": guest.full().user_id, "user_id": user.id}
    assert "guest_upgraded" not in events


async def test_a_reset_leaves_the_guest_alone(world: World) -> None:
    """A guest who resets the password of an existing account stays, and one event names both ids."""
    user = await world.user("ada@example.com")
    guest = await new_guest(world)
    await world.call(StartReset(email="ada@example.com", browser=BROWSER))
    token = (await world.mail()).token
    request = ResetPassword(token=token, password="six unusual otters juggle", browser=BROWSER)
    signed = await world.call(request, caller=as_guest(guest))

    assert signed.full().user_id == user.id
    assert await world.live_session(guest.token) is not None
    kept = [data for kind, data in await world.events() if kind == "guest_kept"]
    assert kept == [{"guest_id": guest.full().user_id, "user_id": user.id}]


@pytest.mark.parametrize("way", ["password", "code", "reset"])
async def test_a_second_factor_leaves_the_guest_alone(world: World, way: str) -> None:
    """The event is recorded once, when the second factor completes the sign-in, and not before."""
    person = await two_step_user(world)
    guest, email = await new_guest(world), person.user.email or ""
    world.configure(world.app_id, guests=True, mfa_policy="optional")
    request: Any = SignInWithPassword(email=email, password=PASSWORD)
    if way == "code":
        flow = await world.call(StartEmailCode(email=email))
        request = SignInWithCode(flow=flow.flow, code=(await world.mail()).code)
    elif way == "reset":
        await world.call(StartReset(email=email, browser=BROWSER))
        token = (await world.mail()).token
        request = ResetPassword(token=token, password="six unusual otters juggle", browser=BROWSER)
    half = await world.call(request, caller=as_guest(guest))
    assert half.session is None
    assert await world.event_types("guest_kept") == []

    await complete(world, half, person.app.code())
    kept = [data for kind, data in await world.events() if kind == "guest_kept"]
    assert kept == [{"guest_id": guest.full().user_id, "user_id": person.user.id}]


async def test_a_guest_who_became_a_user_is_not_kept(world: World) -> None:
    """Between the two factors the guest got an address in another tab: nobody was left behind."""
    person = await two_step_user(world)
    guest = await new_guest(world)
    world.configure(world.app_id, guests=True, mfa_policy="optional")
    request = SignInWithPassword(email=person.user.email or "", password=PASSWORD)
    half = await world.call(request, caller=as_guest(guest))
    await signed_up(world, "new@example.com", as_guest(guest))
    await complete(world, half, person.app.code())

    assert await world.event_types("guest_kept") == []


async def test_closed_sign_up_is_closed_for_guests(world: World) -> None:
    """An upgrade is a sign-up: who may not sign up stays a guest."""
    guest = await new_guest(world)
    flow = await world.call(SignUp(email="ada@example.com"))
    code = (await world.mail()).code
    world.configure(world.app_id, guests=True, signup_mode="invite_only")
    request = SignInWithCode(flow=flow.flow, code=code)
    refusal = await world.refused(request, caller=as_guest(guest))

    assert refusal.code == "sign_up_closed"
    kept = await world.live_session(guest.token)
    assert kept is not None
    assert kept.guest


async def test_an_invitation_upgrades(world: World) -> None:
    """A guest who accepts an invitation keeps their id."""
    guest = await new_guest(world)
    await world.call(InviteUser(email="ada@example.com"), caller=ADMIN)
    request = AcceptInvitation(token=(await world.mail()).token, browser=BROWSER)
    signed = await world.call(request, caller=as_guest(guest))

    assert signed.full().user_id == guest.full().user_id
    assert dict(await world.events())["guest_upgraded"]["method"] == "invitation"


async def test_an_address_of_their_own_upgrades(world: World) -> None:
    """A guest can add an address without a fresh sign-in: they have nothing to sign in with."""
    guest = await new_guest(world)
    caller = as_guest(guest)
    flow = await world.call(ChangeEmail(email="ada@example.com"), caller=caller)
    me = await world.call(
        ConfirmEmail(flow=flow.flow, code=(await world.mail()).code), caller=caller
    )

    assert (me.id, me.guest, me.email) == (guest.full().user_id, False, "ada@example.com")


async def test_an_address_from_an_administrator_upgrades(world: World) -> None:
    """A user with an address can sign in, so they are no guest."""
    guest = await new_guest(world)
    changes = UserChanges(email="ada@example.com")
    request = UpdateUser(user_id=guest.full().user_id, changes=changes)
    assert (await world.call(request, caller=ADMIN)).guest is False


async def test_an_upgraded_guest_is_not_adopted_again(world: World) -> None:
    """A gateway may still know the caller as a guest. The row decides: the second sign-up makes a
    user of its own."""
    guest = await new_guest(world)
    await signed_up(world, "ada@example.com", as_guest(guest))
    second = await signed_up(world, "bob@example.com", as_guest(guest))

    assert second.full().user_id != guest.full().user_id


async def test_idle_guests_are_deleted(world: World) -> None:
    """After 30 days without activity a guest is deleted, and the log says why. Active guests,
    upgraded ones and other users stay."""
    idle, active, upgraded = [await new_guest(world) for _ in range(3)]
    user = await world.user("old@example.com")
    await signed_up(world, "ada@example.com", as_guest(upgraded))
    old = [idle.full().user_id, upgraded.full().user_id, user.id]
    for id in old:
        await world.owner.execute(IDLE, world.app_id, id)
    await world.owner.execute(
        "UPDATE users SET created_at = now() - interval '31 days' WHERE app_id = $1 AND id = $2",
        world.app_id,
        active.full().user_id,
    )

    assert await GuestSweep(world.identity).run_once() == 1
    gone = await world.refused(GetUser(user_id=idle.full().user_id), caller=ADMIN)
    assert isinstance(gone, UserNotFound)
    for id in (active.full().user_id, upgraded.full().user_id, user.id):
        assert (await world.call(GetUser(user_id=id), caller=ADMIN)).id == id
    deleted = [data for kind, data in await world.events() if kind == "user_deleted"]
    assert deleted == [{"user_id": idle.full().user_id, "reason": "guest_expired"}]
    assert await GuestSweep(world.identity).run_once() == 0


async def test_a_guest_has_no_lone_credential(world: World) -> None:
    """A password without an address, and a second factor without a first one, would sign nobody
    in."""
    guest = await new_guest(world)
    for request in (ChangePassword(password=PASSWORD), SetUpTotp()):
        assert isinstance(await world.refused(request, caller=as_guest(guest)), GuestRefused)


async def test_a_passkey_upgrades_in_place(world: World) -> None:
    """Whatever stores the first credential calls `upgrade`: the guest is a full user, once."""
    guest = await new_guest(world)
    ctx = world.ctx(as_guest(guest))
    async with world.identity.db.transaction(ctx) as tx:
        assert await guests.upgrade(ctx, tx, guest.full().user_id, method="passkey")
        assert not await guests.upgrade(ctx, tx, guest.full().user_id, method="passkey")
    assert (await world.event_types()).count("guest_upgraded") == 1
