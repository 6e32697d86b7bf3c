"""The Dashboard's users are the developers of every team: who signs up, and who sees whom."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD
from tests.kit.world import World

from common.context import Caller
from common.contracts.base import Request
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.invitations import InviteUser, ListInvitations
from common.contracts.profiles import UserChanges
from common.contracts.sessions import ListUserSessions, RevokeUserSessions
from common.contracts.sign_up import SignUp, SignUpClosed
from common.contracts.user_import import ExportUsers, ImportUsers, TransferredUser
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    FindUser,
    GetUser,
    ListUsers,
    UpdateUser,
    UserNotFound,
)
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden

MIGHTY = frozenset({"users:read", "users:write", "users:delete"})


async def team_of(world: World, *user_ids: str) -> str:
    """Creates a team of the Dashboard with these members."""
    team = new_id()
    await world.owner.execute(
        "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'member')"
        " ON CONFLICT DO NOTHING",
        DASHBOARD,
    )
    await world.owner.execute(
        "INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $2, $3, 'Team')",
        DASHBOARD,
        team,
        f"team-{team}",
    )
    for user_id in user_ids:
        await world.owner.execute(
            "INSERT INTO organization_members (app_id, org_id, user_id) VALUES ($1, $2, $3)",
            DASHBOARD,
            team,
            user_id,
        )
    return team


async def test_developers_see_members_of_their_teams(world: World) -> None:
    """List, get and find show only members of the developer's teams. With `developers:read` they
    show everybody."""
    me, mate, stranger = [await world.user(app_id=DASHBOARD) for _ in range(3)]
    team = await team_of(world, me.id, mate.id)
    await team_of(world, stranger.id)
    dev = Caller("user", me.id, frozenset({"users:read"}), frozenset({team}))
    overseer = Caller("user", me.id, frozenset({"users:read", "developers:read"}))

    seen = {user.id for user in (await world.call(ListUsers(), dev, DASHBOARD)).users}
    everybody = {user.id for user in (await world.call(ListUsers(), overseer, DASHBOARD)).users}
    alone = Caller("user", me.id, frozenset({"users:read"}))

    assert seen == {me.id, mate.id}
    assert {me.id, mate.id, stranger.id} <= everybody
    assert (await world.call(ListUsers(), alone, DASHBOARD)).users == []
    assert (await world.call(GetUser(user_id=mate.id), dev, DASHBOARD)).id == mate.id
    for request in (GetUser(user_id=stranger.id), FindUser(email=stranger.email or "")):
        assert isinstance(await world.refused(request, dev, DASHBOARD), UserNotFound)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda id: ListUserSessions(user_id=id),
        lambda id: ExportUsers(),
        lambda id: ListInvitations(),
        lambda id: InviteUser(email="fresh@example.com"),
        lambda id: CreateUser(email="fresh@example.com"),
        lambda id: ImportUsers(users=[TransferredUser(email="fresh@example.com")]),
        lambda id: UpdateUser(user_id=id, changes=UserChanges(name="Changed")),
        lambda id: RevokeUserSessions(user_id=id),
        lambda id: DisableUser(user_id=id),
        lambda id: DeleteUser(user_id=id),
    ],
)
async def test_everything_else_takes_a_permission_on_developers(
    world: World, request_of: Any
) -> None:
    """Permissions on users alone do not reach other developers, in one's own team or another."""
    me, mate = [await world.user(app_id=DASHBOARD) for _ in range(2)]
    dev = Caller("user", me.id, MIGHTY, frozenset({await team_of(world, me.id, mate.id)}))
    request: Request[Any] = request_of(mate.id)

    problem = await world.refused(request, dev, DASHBOARD)

    assert isinstance(problem, Forbidden)
    assert problem.extra["needs"].startswith("developers:")
    assert (await world.call(GetUser(user_id=mate.id), ADMIN, DASHBOARD)).disabled is False


async def test_the_named_operator_gets_into_a_closed_dashboard(world: World) -> None:
    """The address that the deployment names may sign up, by code too; nobody else may."""
    for mode in ({"signup_mode": "invite_only"}, {"signup_mode": "restricted"}):
        world.configure(DASHBOARD, **mode, allowed_email_domains=["corp.example"])
        for table in ("users", "rate_limits"):
            await world.owner.execute(f"DELETE FROM {table} WHERE app_id = $1", DASHBOARD)
        await world.call(SignUp(email="boss@example.com", password=PASSWORD), app_id=DASHBOARD)
        flow = await world.call(StartEmailCode(email="boss@example.com"), app_id=DASHBOARD)
        code = (await world.mail(DASHBOARD)).code
        signed = await world.call(SignInWithCode(flow=flow.flow, code=code), app_id=DASHBOARD)
        assert world.stand_ins.rbac.roles[-1] == (DASHBOARD, signed.full().user_id, True)

    world.configure(DASHBOARD, signup_mode="invite_only")
    stranger = SignUp(email="stranger@evil.example", password=PASSWORD)
    assert isinstance(await world.refused(stranger, app_id=DASHBOARD), SignUpClosed)
    boss = SignUp(email="boss@example.com", password=PASSWORD)
    world.configure(world.app_id, signup_mode="invite_only")
    assert isinstance(await world.refused(boss, app_id=world.app_id), SignUpClosed)
    await world.owner.execute("DELETE FROM rate_limits WHERE app_id = $1", DASHBOARD)
