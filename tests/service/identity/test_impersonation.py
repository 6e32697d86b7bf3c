"""Impersonation: who may act as whom, what they may not do, and when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user, now
from tests.kit.world import World

from common import acr
from common.context import Caller
from common.contracts.base import Request
from common.contracts.impersonation import (
    PERMISSION,
    Impersonation,
    ImpersonationOff,
    ImpersonationRefused,
    RedeemImpersonation,
    StartImpersonation,
)
from common.contracts.me import ChangeEmail, DeleteMe, ExportMe, GetMe, UpdateMe
from common.contracts.passwords import ChangePassword, Reauthenticate
from common.contracts.profiles import MyChanges, User
from common.contracts.rights import Rights
from common.contracts.roles import NotHeld
from common.contracts.sessions import (
    ActivateOrganization,
    CheckSession,
    ListSessions,
    RevokeAllSessions,
    RevokeSession,
    SignedInSession,
    SignOut,
)
from common.contracts.sign_in import LinkSpent
from common.contracts.users import DisableUser, UserNotFound
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Impersonating, Unavailable
from identity.impersonation_end import ImpersonationSweep

PERMISSIONS = frozenset({PERMISSION, "users:read"})
REASON = "ticket 4711"


@pytest.fixture(autouse=True)
async def only_this_test(world: World) -> AsyncIterator[None]:
    """Ends the impersonations of other tests, since the job sees all applications."""
    world.configure(world.app_id, impersonation=True)
    await world.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE actor_id IS NOT NULL"
    )
    yield
    world.stand_ins.rbac.rights.clear()


async def administrator(world: World) -> tuple[User, SignedInSession, Caller]:
    """Returns somebody who may act as others, with their session."""
    user = await world.user()
    world.stand_ins.rbac.rights[user.id] = Rights(permissions=sorted(PERMISSIONS))
    signed = await world.sign_in(user)
    return user, signed, as_user(signed, permissions=PERMISSIONS)


async def developer(world: World) -> Caller:
    """Returns a signed-in developer who manages the application."""
    session = await world.person(app_id=DASHBOARD)
    world.stand_ins.tenancy.managed[session.user_id] = ["*"]
    world.stand_ins.rbac.rights[session.user_id] = Rights(permissions=["apps:read", "apps:write"])
    id = session.session.session_id
    return Caller("developer", session.user_id, frozenset({"*"}), session_id=id, proven_at=now())


async def started(world: World, user: User, caller: Caller, **more: Any) -> Impersonation:
    request = StartImpersonation(user_id=user.id, reason=REASON, **more)
    return await world.call(request, caller=caller)


async def acting(world: World) -> tuple[User, SignedInSession, Caller]:
    """Returns a user, the session in which an administrator acts as them, and its caller."""
    user = await world.user("ada@example.com")
    admin, _, caller = await administrator(world)
    impersonation = await started(world, user, caller)
    assert impersonation.session is not None
    actor = as_user(impersonation.session, actor_id=admin.id)
    return user, impersonation.session, actor


async def test_an_administrator_acts_as_a_user(world: World) -> None:
    """The session is the user's, names the actor, shows no factor and ends after 15 minutes. It is no
    sign-in of the user: no mail, no device, no time of a last sign-in."""
    user = await world.user("ada@example.com")
    admin, own, caller = await administrator(world)
    await world.mails()
    impersonation = await started(world, user, caller)

    assert impersonation.session is not None
    assert impersonation.url is None
    session = await world.live_session(impersonation.session.token)
    assert session is not None
    assert session.actor is not None
    assert (session.user_id, session.acr, session.amr) == (user.id, acr.NO_FACTOR, [])
    assert (session.actor.kind, session.actor.id) == ("user", admin.id)
    assert session.actor.session_id == own.full().id
    assert (session.expires_at - session.created_at).total_seconds() == 900
    assert session.factor_times == {}
    assert not session.remembered
    assert await world.mails() == []
    row = await world.owner.fetchrow(
        "SELECT last_sign_in_at, (SELECT count(*) FROM known_devices d WHERE d.user_id = u.id) AS n"
        " FROM users u WHERE app_id = $1 AND id = $2",
        world.app_id,
        user.id,
    )
    assert tuple(row or ()) == (None, 0)
    assert await world.event_types("login") == ["login"]  # that of the administrator
    event = dict(await world.events())["impersonation_started"]
    assert (event["actor_id"], event["reason"], event["minutes"]) == (admin.id, REASON, 15)


async def test_the_user_sees_who_acts(world: World) -> None:
    """The user's own list of sessions has the actor and the reason, and the user can end it."""
    user, impersonation, actor = await acting(world)
    own = await world.sign_in(user)
    listed = (await world.call(ListSessions(), caller=as_user(own))).sessions

    entry = next(one for one in listed if one.id == impersonation.full().id)
    assert (entry.actor_id, entry.actor_reason) == (actor.actor_id, REASON)
    await world.call(RevokeSession(session_id=entry.id), caller=as_user(own))
    assert await world.live_session(impersonation.token) is None
    assert "impersonation_ended" in await world.event_types()


async def test_off_unless_the_application_wants_it(world: World) -> None:
    """The permission alone is not enough."""
    user = await world.user()
    _, _, caller = await administrator(world)
    world.configure(world.app_id, impersonation=False)
    request = StartImpersonation(user_id=user.id, reason=REASON)
    assert isinstance(await world.refused(request, caller=caller), ImpersonationOff)


async def test_who_may_start(world: World) -> None:
    """It takes the permission and a session: a key, an application's token, and a caller whose rights
    have shrunk are refused. A reason is required and the time is bounded."""
    user = await world.user()
    admin, signed, caller = await administrator(world)
    request = StartImpersonation(user_id=user.id, reason=REASON)
    without = as_user(signed, permissions=frozenset({"users:write"}))
    delegated = as_user(signed, permissions=PERMISSIONS, by_token=True)
    for refused in (without, delegated, ADMIN):
        assert isinstance(await world.refused(request, caller=refused), Forbidden)
    missing = StartImpersonation(user_id=new_id(), reason=REASON)
    assert isinstance(await world.refused(missing, caller=caller), UserNotFound)
    world.stand_ins.rbac.rights[admin.id] = Rights(permissions=["users:read"])
    assert isinstance(await world.refused(request, caller=caller), ImpersonationRefused)
    for bad in ({"reason": ""}, {"reason": REASON, "minutes": 61}, {"reason": "a\nb\nc"}):
        with pytest.raises(ValueError, match="validation error"):
            StartImpersonation(user_id=user.id, **bad)


async def test_never_upward(world: World) -> None:
    """Nobody acts as an administrator, as a user with rights that they lack, or as themselves."""
    admin, _, caller = await administrator(world)
    other = await world.user()
    rights = world.stand_ins.rbac.rights
    for permissions in (["users:delete"], [PERMISSION], ["*"]):
        rights[other.id] = Rights(permissions=permissions)
        refusal = await world.refused(
            StartImpersonation(user_id=other.id, reason=REASON), caller=caller
        )
        assert isinstance(refusal, ImpersonationRefused), permissions
    myself = StartImpersonation(user_id=admin.id, reason=REASON)
    assert isinstance(await world.refused(myself, caller=caller), ImpersonationRefused)
    world.stand_ins.rbac.stronger_users.add(other.id)
    rights[other.id] = Rights()
    stronger = StartImpersonation(user_id=other.id, reason=REASON)
    assert isinstance(await world.refused(stronger, caller=caller), NotHeld)
    assert "impersonation_started" not in await world.event_types()


@pytest.mark.parametrize("rights", [["users:delete"], [PERMISSION]])
async def test_a_user_who_rises_is_no_longer_acted_as(world: World, rights: list[str]) -> None:
    """The impersonation ends when the user gets rights that the actor lacks."""
    user, impersonation, _ = await acting(world)
    world.stand_ins.rbac.rights[user.id] = Rights(permissions=rights)

    assert await world.live_session(impersonation.token) is None


REFUSED: list[Request[Any]] = [
    ChangePassword(current=PASSWORD, password="another good phrase of words"),
    Reauthenticate(password=PASSWORD),
    ChangeEmail(email="mallory@example.com"),
    ExportMe(),
    DeleteMe(password=PASSWORD),
    RevokeAllSessions(),
    StartImpersonation(user_id=new_id(), reason=REASON),
]


@pytest.mark.parametrize("request_", REFUSED, ids=lambda one: type(one).__name__)
async def test_an_actor_does_not_change_the_account(world: World, request_: Request[Any]) -> None:
    """Password, address, export, deletion, sessions and another impersonation are the user's own."""
    _, impersonation, actor = await acting(world)
    caller = as_user(impersonation, actor_id=actor.actor_id, permissions=frozenset({"*"}))
    refusal = await world.refused(request_, caller=caller)

    assert isinstance(refusal, Impersonating)
    assert await world.mails() == []


async def test_an_actor_works_with_the_account(world: World) -> None:
    """An actor reads the account and changes the profile. The log names the actor."""
    user, _, actor = await acting(world)
    assert (await world.call(GetMe(), caller=actor)).id == user.id
    await world.call(UpdateMe(changes=MyChanges(nickname="Ada")), caller=actor)

    row = await world.owner.fetchrow(
        "SELECT user_id::text, actor_kind, actor_id FROM audit_logs"
        " WHERE app_id = $1 AND event_type = 'user_updated'",
        world.app_id,
    )
    assert tuple(row or ()) == (user.id, "user", actor.actor_id)


async def test_it_ends_with_the_session_of_the_actor(world: World) -> None:
    """The actor signs out: the impersonation is over at once."""
    user = await world.user()
    _, own, caller = await administrator(world)
    impersonation = (await started(world, user, caller)).session
    assert impersonation is not None
    await world.call(SignOut(token=own.token))

    assert await world.live_session(impersonation.token) is None


@pytest.mark.parametrize("cause", ["role", "disabled", "setting", "time"])
async def test_it_ends_with_the_rights_of_the_actor(world: World, cause: str) -> None:
    """Without a lookup, the job ends it within seconds. The session is revoked, so that its tokens
    end, and the log says why."""
    _, impersonation, actor = await acting(world)
    id = impersonation.full().id
    assert actor.actor_id is not None
    if cause == "role":
        world.stand_ins.rbac.rights[actor.actor_id] = Rights()
    elif cause == "disabled":
        await world.call(DisableUser(user_id=actor.actor_id), caller=ADMIN)
    elif cause == "setting":
        world.configure(world.app_id, impersonation=False)
    else:
        await world.owner.execute(
            "UPDATE user_sessions SET expires_at = now() WHERE app_id = $1 AND id = $2",
            world.app_id,
            id,
        )
    assert await ImpersonationSweep(world.identity).run_once() == 1
    assert await ImpersonationSweep(world.identity).run_once() == 0

    revoked = "SELECT revoked_reason FROM user_sessions WHERE app_id = $1 AND id = $2"
    reason = "expired" if cause == "time" else "refused"
    assert await world.owner.fetchval(revoked, world.app_id, id) == f"impersonation_{reason}"
    assert dict(await world.events())["impersonation_ended"]["reason"] == reason
    assert ("session", id) in [(noun, id) for _, noun, id in world.invalidation.published]


async def test_a_valid_one_goes_on(world: World) -> None:
    """The job leaves it alone, and so does a moment in which nobody can say what the rights are."""
    _, impersonation, _ = await acting(world)
    assert await ImpersonationSweep(world.identity).run_once() == 0
    world.stand_ins.rbac.running = False
    assert await ImpersonationSweep(world.identity).run_once() == 0
    assert isinstance(await world.refused(CheckSession(token=impersonation.token)), Unavailable)
    world.stand_ins.rbac.running = True
    assert await world.live_session(impersonation.token) is not None


async def test_a_changed_organization_keeps_the_actor(world: World) -> None:
    """A session that gets a new id does not become the user's own, and does not last longer."""
    _, impersonation, _ = await acting(world)
    request = ActivateOrganization(session_id=impersonation.full().id, org_id=None)
    renewed = await world.call(request, caller=Caller("system", permissions=frozenset({"*"})))

    session = await world.live_session(renewed.token)
    assert session is not None
    assert session.actor == impersonation.full().actor
    assert session.expires_at == impersonation.full().expires_at


async def test_the_user_who_signs_in_inherits_nothing(world: World) -> None:
    """If the user signs in at the browser of the impersonation, no client of it follows to the new
    session."""
    user, impersonation, _ = await acting(world)
    own = await world.sign_in(user)
    await world.call(SignOut(token=impersonation.token, successor=own.full().id))

    session = await world.live_session(own.token)
    assert session is not None
    assert session.actor is None
    linked = "SELECT previous_id FROM user_sessions WHERE app_id = $1 AND id = $2"
    assert await world.owner.fetchval(linked, world.app_id, own.full().id) is None
    assert dict(await world.events())["impersonation_ended"]["reason"] == "ended"


async def test_a_developer_gets_a_link(world: World) -> None:
    """The link leads to the application's host, starts one session within a minute, and names the
    developer."""
    user, caller = await world.user(), await developer(world)
    impersonation = await started(world, user, caller, minutes=5)
    assert impersonation.session is None
    assert impersonation.url is not None
    assert impersonation.url.startswith("https://shop.id.example.org/impersonation?token=imp_")
    token = impersonation.url.partition("token=")[2]
    signed = await world.call(RedeemImpersonation(token=token))

    session = await world.live_session(signed.token)
    assert session is not None
    assert session.actor is not None
    assert (session.user_id, session.actor.kind) == (user.id, "developer")
    assert session.actor.id == caller.id
    again = await world.refused(RedeemImpersonation(token=token))
    assert isinstance(again, LinkSpent)


@pytest.mark.parametrize("cause", ["late", "team", "session", "other application"])
async def test_a_link_is_checked_when_it_is_used(world: World, cause: str) -> None:
    """A link is worth nothing after a minute, without the developer's rights or session, and in
    another application."""
    user, caller = await world.user(), await developer(world)
    impersonation = await started(world, user, caller)
    token = (impersonation.url or "").partition("token=")[2]
    app_id = world.app_id
    if cause == "late":
        await world.owner.execute(
            "UPDATE email_verification_codes SET expires_at = now() WHERE type = 'impersonation'"
        )
    elif cause == "team":
        world.stand_ins.tenancy.managed.clear()
    elif cause == "session":
        await world.owner.execute(
            "UPDATE user_sessions SET revoked_at = now() WHERE id = $1", caller.session_id
        )
    else:
        app_id = world.other_app_id
        world.configure(app_id, impersonation=True)
    refusal = await world.refused(RedeemImpersonation(token=token), app_id=app_id)

    expected = ImpersonationRefused if cause in ("team", "session") else LinkSpent
    assert isinstance(refusal, expected)
    assert "impersonation_started" not in await world.event_types()


async def test_it_ends_when_the_developer_leaves_the_team(world: World) -> None:
    """The Dashboard is another application. The rights there are asked at each lookup."""
    user, caller = await world.user(), await developer(world)
    impersonation = await started(world, user, caller)
    signed = await world.call(
        RedeemImpersonation(token=(impersonation.url or "").partition("token=")[2])
    )
    assert await world.live_session(signed.token) is not None
    world.stand_ins.tenancy.managed.clear()

    assert await world.live_session(signed.token) is None


async def test_never_the_owner_of_another_team(world: World) -> None:
    """On the Dashboard, an operator acts as the members of teams, and not as somebody who owns
    one."""
    world.configure(DASHBOARD, impersonation=True)
    operator, target = [await world.person(app_id=DASHBOARD) for _ in range(2)]
    world.stand_ins.rbac.rights[operator.user_id] = Rights(permissions=[*PERMISSIONS, "apps:read"])
    caller = Caller(
        "user",
        operator.user_id,
        PERMISSIONS,
        session_id=operator.session.session_id,
        proven_at=now(),
    )
    request = StartImpersonation(user_id=target.user_id, reason=REASON)
    team = new_id()
    await world.owner.execute(
        "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, 'Team')",
        DASHBOARD,
        team,
        f"team-{team}",
    )
    for role in ("admin", "member"):
        await world.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name, description) VALUES ($1, $2, $2, '')"
            " ON CONFLICT DO NOTHING",
            DASHBOARD,
            role,
        )
    await world.owner.execute(
        "INSERT INTO organization_members (app_id, org_id, user_id, role_id)"
        " VALUES ($1, $2, $3, 'admin')",
        DASHBOARD,
        team,
        target.user_id,
    )
    refusal = await world.refused(request, caller=caller, app_id=DASHBOARD)
    assert isinstance(refusal, ImpersonationRefused)
    await world.owner.execute(
        "UPDATE organization_members SET role_id = 'member' WHERE user_id = $1", target.user_id
    )
    impersonation = await world.call(request, caller=caller, app_id=DASHBOARD)
    assert impersonation.session is not None
    actor = impersonation.session.full().actor
    assert actor is not None
    assert actor.kind == "user"
