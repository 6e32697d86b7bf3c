"""Sessions: their start, their end, and who sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, SAFARI, as_user
from tests.kit.world import World

from common.contracts.passwords import (
    ChangePassword,
    Reauthenticate,
    ResetPassword,
    SignInWithPassword,
    StartReset,
)
from common.contracts.sessions import (
    ActivateOrganization,
    CheckSession,
    CurrentSession,
    EndSession,
    ListSessions,
    ListUserSessions,
    RevokeAllSessions,
    RevokeOtherSessions,
    RevokeSession,
    RevokeUserSession,
    RevokeUserSessions,
    SessionNotFound,
    SignedInSession,
    SignOut,
)
from common.contracts.sign_in import WrongCredentials
from common.contracts.users import DeleteUser, DisableUser, EnableUser, ForceReset
from common.field_errors import field_error
from common.ids import DASHBOARD, new_id
from common.problems import NotFound

PRESENT = [field_error("password", "password_unchanged")]


async def test_token_is_stored_hashed(world: World) -> None:
    """A session token has 256 bits, and the database holds only its keyed hash."""
    signed = await world.sign_in(await world.user())
    row = await world.owner.fetchrow(
        "SELECT * FROM user_sessions WHERE app_id = $1 AND id = $2", world.app_id, signed.full().id
    )

    assert row is not None
    assert len(signed.token) >= 43
    assert signed.token not in str(dict(row))
    assert signed.token not in repr(signed)


async def test_list_shows_devices(world: World) -> None:
    """The list names devices in words and marks the current session."""
    user = await world.user()
    here = await world.sign_in(user)
    await world.sign_in(user, agent=SAFARI)
    found = (await world.call(ListSessions(), caller=as_user(here))).sessions

    assert [(s.device_name, s.is_current) for s in found] == [
        ("Mobile Safari on iOS", False),
        ("Firefox on Linux", True),
    ]


async def test_revoke_one(world: World) -> None:
    """A revoked session ends at once, and every cache is invalidated. The current session and
    sessions of other users are refused."""
    user, stranger = await world.user(), await world.user()
    here, there = await world.sign_in(user), await world.sign_in(user)
    foreign = await world.sign_in(stranger)
    await world.call(RevokeSession(session_id=there.full().id), caller=as_user(here))

    assert await world.live_session(there.token) is None
    assert await world.live_session(here.token) is not None
    assert (world.app_id, "session", there.full().id) in world.invalidation.published
    for id, kind in (
        (here.full().id, CurrentSession),
        (foreign.full().id, SessionNotFound),
        (there.full().id, SessionNotFound),
    ):
        assert isinstance(
            await world.refused(RevokeSession(session_id=id), caller=as_user(here)), kind
        )


async def test_revoke_others_and_all(world: World) -> None:
    """Users revoke all other sessions, then all. The reply has the number, and each session is
    announced."""
    user = await world.user()
    here, *others = [await world.sign_in(user) for _ in range(4)]
    ended = await world.call(RevokeOtherSessions(), caller=as_user(here))
    assert ended.revoked_count == 3
    assert [await world.live_session(other.token) for other in others] == [None] * 3
    assert await world.live_session(here.token) is not None
    ended = await world.call(RevokeAllSessions(), caller=as_user(here))

    assert ended.revoked_count == 1
    assert await world.live_session(here.token) is None
    assert {id for _, noun, id in world.invalidation.published if noun == "session"} == {
        signed.full().id for signed in (here, *others)
    }
    assert (world.app_id, "user", user.id) in world.invalidation.published


async def test_sign_out(world: World) -> None:
    """Signing out ends the session on the server. An unknown token changes nothing."""
    signed = await world.sign_in(await world.user())
    await world.call(SignOut(token=signed.token))
    await world.call(SignOut(token="nobody's"))

    assert await world.live_session(signed.token) is None
    assert ("logout", {"session_id": signed.full().id}) in await world.events()


async def test_absolute_and_idle_limit(world: World) -> None:
    """A session ends at its absolute limit, or earlier if it is idle for too long. Use extends the
    idle limit, never past the absolute one."""
    world.configure(world.app_id, session_ttl=3600, session_idle_ttl=600)
    user = await world.user()
    used, idle = await world.sign_in(user), await world.sign_in(user)
    await _age(world, 500)
    assert await world.live_session(used.token) is not None
    await world.identity.last_active.flush()
    await _age(world, 200)

    assert await world.live_session(used.token) is not None
    assert await world.live_session(idle.token) is None
    for _ in range(20):
        await world.live_session(used.token)
        await world.identity.last_active.flush()
        await _age(world, 200)
    assert await world.live_session(used.token) is None


async def test_who_stays_signed_in_has_the_longer_limits(world: World) -> None:
    """A remembered session has the longer limits, and so has its successor with a new id."""
    world.configure(world.app_id, session_ttl=3600, session_idle_ttl=600)
    user = await world.user()
    short, long = await world.sign_in(user), await world.sign_in(user, remember=True)
    again = await world.call(Reauthenticate(password=PASSWORD), caller=as_user(long))

    assert [_limits(one) for one in (short, long, again)] == [
        (False, 3600, 600),
        (True, 2_592_000, 1_209_600),
        (True, 2_592_000, 1_209_600),
    ]
    live = await world.live_session(again.token)
    assert live is not None
    assert live.remembered


@pytest.mark.parametrize("remember", [True, False])
async def test_the_dashboard_remembers_nobody(world: World, remember: bool) -> None:
    """A session of the Dashboard lasts 12 hours at most. Operators and unknown roles may be idle
    for 15 minutes, others for 8 hours. Shorter settings also apply."""
    limits = []
    for kind in ("developer", "operator", "unknown"):
        user = await world.user(app_id=DASHBOARD)
        if kind == "operator":
            world.stand_ins.rbac.make_operator(user.id)
        world.stand_ins.rbac.running = kind != "unknown"
        limits.append(_limits(await world.sign_in(user, DASHBOARD, remember=remember)))
    world.stand_ins.rbac.running = True
    world.configure(DASHBOARD, session_ttl=1800, session_idle_ttl=120)
    limits.append(_limits(await world.sign_in(user, DASHBOARD, remember=remember)))

    assert limits == [
        (False, 43_200, 28_800),
        (False, 43_200, 900),
        (False, 43_200, 900),
        (False, 1800, 120),
    ]


def _limits(signed: SignedInSession) -> tuple[bool, int, int]:
    session = signed.full()
    assert session.idle_expires_at is not None
    absolute = session.expires_at - session.created_at
    idle = session.idle_expires_at - session.created_at
    minute = timedelta(minutes=1)
    return session.remembered, round(absolute / minute) * 60, round(idle / minute) * 60


async def _age(world: World, seconds: int) -> None:
    """Moves the start of every session of the application into the past."""
    await world.owner.execute(
        "UPDATE user_sessions SET last_active_at = last_active_at - $2 * interval '1 s',"
        " expires_at = expires_at - $2 * interval '1 s',"
        " idle_expires_at = idle_expires_at - $2 * interval '1 s' WHERE app_id = $1",
        world.app_id,
        seconds,
    )


async def test_last_activity_is_written_once_a_minute(world: World) -> None:
    """Checking a session writes nothing. Its last activity is written once a minute at most."""
    signed = await world.sign_in(await world.user())
    for _ in range(5):
        await world.live_session(signed.token)
    assert not world.identity.last_active._seen
    await _age(world, 61)
    for _ in range(5):
        await world.live_session(signed.token)

    assert world.identity.last_active._seen == {(world.home, world.app_id): {signed.full().id}}
    await world.identity.last_active.flush()
    assert await world.owner.fetchval(
        "SELECT last_active_at > now() - interval '5 s' FROM user_sessions"
        " WHERE app_id = $1 AND id = $2",
        world.app_id,
        signed.full().id,
    )


async def test_new_id_at_a_change_of_privilege(world: World) -> None:
    """Confirming the password gives the session a new id and token. The old cookie is invalid, and
    the absolute limit stays."""
    signed = await world.sign_in(await world.user())
    again = await world.call(Reauthenticate(password=PASSWORD), caller=as_user(signed))

    assert again.full().id != signed.full().id
    assert await world.live_session(signed.token) is None
    assert await world.live_session(again.token) is not None
    assert again.full().expires_at == signed.full().expires_at
    assert again.full().auth_time > signed.full().auth_time
    assert (world.app_id, "session", signed.full().id) in world.invalidation.published


async def test_sign_in_ignores_the_cookie_before_it(world: World) -> None:
    """A sign-in always starts a new session, so a token that an attacker planted is useless."""
    user = await world.user()
    first, second = await world.sign_in(user), await world.sign_in(user)

    assert first.token != second.token
    assert first.full().id != second.full().id


async def test_password_change_ends_the_others(world: World) -> None:
    """Changing the password ends every other session, replaces the current one and notifies the
    user."""
    user = await world.user()
    here, there = await world.sign_in(user), await world.sign_in(user)
    request = ChangePassword(current=PASSWORD, password="a new and better phrase")
    after = await world.call(request, caller=as_user(here))

    assert await world.live_session(here.token) is None
    assert await world.live_session(there.token) is None
    assert await world.live_session(after.token) is not None
    assert (await world.mail()).kind == "password_changed"
    assert {(world.app_id, "session", s.full().id) for s in (here, there)} <= set(
        world.invalidation.published
    )


async def test_password_change_needs_the_old_one(world: World) -> None:
    """A wrong current password changes nothing and counts as a failed try."""
    user = await world.user()
    here = await world.sign_in(user)
    request = ChangePassword(current="wrong", password="a new and better phrase")

    assert isinstance(await world.refused(request, caller=as_user(here)), WrongCredentials)
    assert (await world.sign_in(user)).full().user_id == user.id


async def test_the_present_password_is_no_new_one(world: World) -> None:
    """The current password is refused as the new one, naming the field. No session ends and no mail
    is sent."""
    user = await world.user()
    here = await world.sign_in(user)
    before = [mail.kind for mail in await world.mails()]
    same = await world.refused(
        ChangePassword(current=PASSWORD, password=PASSWORD), caller=as_user(here)
    )
    guessed = await world.refused(
        ChangePassword(current="wrong", password=PASSWORD), caller=as_user(here)
    )

    assert same.code == "weak_password"
    assert (same.status, same.extra["errors"]) == (422, PRESENT)
    assert isinstance(guessed, WrongCredentials)
    assert await world.live_session(here.token) is not None
    assert [mail.kind for mail in await world.mails()] == before


async def test_reset_ends_all_sessions(world: World) -> None:
    """A reset ends every session and sets the password. Its link works once, in the browser that
    asked, and the user is notified."""
    user = await world.user()
    there = await world.sign_in(user)
    flow = await world.call(StartReset(email=user.email or ""))
    letter = await world.mail()
    request = ResetPassword(
        token=letter.token, browser=flow.browser, password="a new and better phrase"
    )
    signed = await world.call(request)

    assert (letter.kind, letter.data["device"]) == ("reset", "Firefox on Linux")
    assert await world.live_session(there.token) is None
    assert await world.live_session(signed.token) is not None
    assert "password_changed" in [mail.kind for mail in await world.mails()]
    assert (await world.refused(request)).code == "link_spent"
    assert isinstance(await world.refused(_with_old(user.email or "")), WrongCredentials)


def _with_old(email: str) -> SignInWithPassword:
    return SignInWithPassword(email=email, password=PASSWORD)


async def test_weak_password_leaves_the_reset_link_good(world: World) -> None:
    """A refused password does not use up the link or the code."""
    user = await world.user()
    flow = await world.call(StartReset(email=user.email or ""))
    letter = await world.mail()
    weak = await world.refused(
        ResetPassword(token=letter.token, browser=flow.browser, password="password")
    )
    await world.call(
        ResetPassword(flow=flow.flow, code=letter.code, password="a new and better phrase")
    )

    assert weak.code == "weak_password"


async def test_reset_of_an_unknown_address(world: World) -> None:
    """A reset of an unknown address answers like one of a known address. No code is accepted for
    it."""
    user = await world.user()
    known = await world.call(StartReset(email=user.email or ""))
    unknown = await world.call(StartReset(email="nobody@example.com"))

    assert (await world.mail()).kind == "no_account"
    assert set(known.model_dump()) == set(unknown.model_dump())


async def test_disabled_user_is_out_everywhere(world: World) -> None:
    """Disabling a user ends every session for good, even if the user is enabled again."""
    user = await world.user()
    signed = await world.sign_in(user)
    await world.call(DisableUser(user_id=user.id), caller=ADMIN)
    assert await world.live_session(signed.token) is None
    await world.call(EnableUser(user_id=user.id), caller=ADMIN)

    assert await world.live_session(signed.token) is None
    assert (world.app_id, "session", signed.full().id) in world.invalidation.published
    assert (world.app_id, "user", user.id) in world.invalidation.published


async def test_deleted_user_is_out_everywhere(world: World) -> None:
    """Deleting a user ends their sessions and invalidates every cache before the reply."""
    user = await world.user()
    signed = await world.sign_in(user)
    await world.call(DeleteUser(user_id=user.id), caller=ADMIN)

    assert await world.live_session(signed.token) is None
    assert (world.app_id, "session", signed.full().id) in world.invalidation.published


async def test_forced_reset(world: World) -> None:
    """A forced reset ends sessions and the password. Its link works in any browser, and the new
    password works."""
    user = await world.user()
    signed = await world.sign_in(user)
    await world.call(ForceReset(user_id=user.id), caller=ADMIN)
    refused = await world.refused(_with_old(user.email or ""))
    assert refused.code == "reset_needed"
    letter = await world.mail()
    await world.call(ResetPassword(token=letter.token, password="a new and better phrase"))
    again = SignInWithPassword(email=user.email or "", password="a new and better phrase")

    assert (await world.call(again)).full().user_id == user.id
    assert await world.live_session(signed.token) is None
    assert (letter.kind, letter.data["device"], letter.data["ip"]) == ("reset", "", "")


@pytest.mark.parametrize("way", ["link", "code"])
async def test_forced_reset_refuses_the_same_password(world: World, way: str) -> None:
    """The old password is refused, and link and code stay valid. With a wrong code the answer tells
    nothing."""
    user = await world.user()
    await world.call(ForceReset(user_id=user.id), caller=ADMIN)
    proof: dict[str, Any] = {"token": (await world.mail()).token}
    if way == "code":
        flow = await world.call(StartReset(email=user.email or ""))
        proof = {"flow": flow.flow, "code": (await world.mail()).code}
        wrong = ResetPassword(flow=flow.flow, code="000 000", password=PASSWORD)
        assert (await world.refused(wrong)).code == "wrong_code"
    same = await world.refused(ResetPassword(**proof, password=PASSWORD))

    assert same.code == "weak_password"
    assert (same.status, same.extra["errors"]) == (422, PRESENT)
    assert (await world.refused(_with_old(user.email or ""))).code == "reset_needed"
    signed = await world.call(ResetPassword(**proof, password="a new and better phrase"))
    assert signed.full().user_id == user.id


async def test_administrator_ends_sessions(world: World) -> None:
    """An administrator lists a user's sessions page by page, and ends one or all."""
    user = await world.user()
    signed = [await world.sign_in(user) for _ in range(3)]
    first = await world.call(ListUserSessions(user_id=user.id, limit=2), caller=ADMIN)
    second = await world.call(
        ListUserSessions(user_id=user.id, limit=2, cursor=first.next), caller=ADMIN
    )
    ids = [entry.id for entry in first.sessions + second.sessions]
    await world.call(
        RevokeUserSession(user_id=user.id, session_id=signed[0].full().id), caller=ADMIN
    )
    rest = await world.call(RevokeUserSessions(user_id=user.id), caller=ADMIN)

    assert sorted(ids) == sorted(s.full().id for s in signed)
    assert second.next is None
    assert rest.revoked_count == 2
    assert [await world.live_session(s.token) for s in signed] == [None] * 3


async def test_switching_the_organization(world: World) -> None:
    """Another active organization means other rights, so the session gets a new id and token. An
    organization without the user is not found, and the session stays the same."""
    user = await world.user()
    signed = await world.sign_in(user)
    org = new_id()
    await world.owner.execute(
        "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, 'Org')",
        world.app_id,
        org,
        f"o{org}",
    )
    request = ActivateOrganization(session_id=signed.full().id, org_id=org)
    from common.context import SYSTEM_CALLER

    assert isinstance(await world.refused(request, caller=SYSTEM_CALLER), NotFound)
    await world.owner.execute(
        "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'member')",
        world.app_id,
    )
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id) VALUES ($1, $2, $3)",
        world.app_id,
        org,
        user.id,
    )
    switched = await world.call(request, caller=SYSTEM_CALLER)

    assert switched.full().active_org_id == org
    assert switched.full().auth_time == signed.full().auth_time
    assert await world.live_session(signed.token) is None
    live = await world.live_session(switched.token)
    assert live is not None
    assert live.active_org_id == org


async def test_ending_a_session_by_its_id(world: World) -> None:
    """OpenID Connect logout ends a session by its id. A second time changes nothing."""
    from common.context import SYSTEM_CALLER

    signed = await world.sign_in(await world.user())
    for _ in range(2):
        await world.call(EndSession(session_id=signed.full().id), caller=SYSTEM_CALLER)

    assert await world.live_session(signed.token) is None


async def test_a_look_at_a_session_is_no_use_of_it(world: World) -> None:
    """A check that is no use finds the session, and its idle limit runs on."""
    world.configure(world.app_id, session_ttl=3600, session_idle_ttl=600)
    signed = await world.sign_in(await world.user())
    await _age(world, 500)
    looked = await world.call(CheckSession(token=signed.token, is_use=False))
    await world.identity.last_active.flush()
    await _age(world, 200)

    assert looked.id == signed.full().id
    assert await world.live_session(signed.token) is None
