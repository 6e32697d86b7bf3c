"""What identity does for organizations: sign-up by their invitations, joining by domain."""

from __future__ import annotations

from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.world import World

from common.contracts.email_codes import SignInWithCode
from common.contracts.invitations import InvitationNotFound
from common.contracts.me import DeleteMe
from common.contracts.members import LastAdmin
from common.contracts.sign_up import SignUp, SignUpClosed
from common.contracts.users import DeleteUser, GetUser, UserNotFound
from common.ids import DASHBOARD
from common.problems import Invalid


async def test_organization_invites_where_sign_up_is_by_invitation_only(world: World) -> None:
    """If a setting allows it, a user whom an organization invited may sign up with that address
    only. Without the setting, nobody may."""
    world.configure(world.app_id, signup_mode="invite_only")
    world.stand_ins.tenancy.offers[world.app_id, "t"] = "new@example.com"
    closed = SignUp(email="new@example.com", password=PASSWORD, invitation="t")
    assert isinstance(await world.refused(closed), SignUpClosed)
    world.configure(
        world.app_id, signup_mode="invite_only", signup_by_organization_invitations=True
    )
    without = await world.refused(SignUp(email="new@example.com", password=PASSWORD))
    other = await world.refused(
        SignUp(email="other@example.com", password=PASSWORD, invitation="t")
    )
    unknown = await world.refused(
        SignUp(email="new@example.com", password=PASSWORD, invitation="u")
    )
    flow = await world.call(SignUp(email="New@example.com", password=PASSWORD, invitation="t"))
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))

    assert isinstance(without, SignUpClosed)
    assert isinstance(other, InvitationNotFound)
    assert isinstance(unknown, InvitationNotFound)
    assert signed.new_user


async def test_a_developer_invited_into_a_team_gets_no_other(world: World) -> None:
    """The invitation of a team opens sign-up on the Dashboard with one mail. The invited developer
    gets no personal team, and every other developer gets one."""
    world.configure(DASHBOARD, signup_mode="invite_only", signup_by_organization_invitations=True)
    world.stand_ins.tenancy.offers[DASHBOARD, "t"] = "mate@example.com"
    flow = await world.call(
        SignUp(email="mate@example.com", password=PASSWORD, invitation="t"), app_id=DASHBOARD
    )
    code = (await world.mail(DASHBOARD)).code
    signed = await world.call(SignInWithCode(flow=flow.flow, code=code), app_id=DASHBOARD)

    assert (signed.new_user, world.stand_ins.tenancy.teams) == (True, [])


async def test_rules_for_domains_hold_for_the_invited_too(world: World) -> None:
    """An invitation by an organization does not help an address with a blocked domain."""
    world.configure(
        world.app_id,
        signup_mode="invite_only",
        signup_by_organization_invitations=True,
        blocked_email_domains=["example.net"],
    )
    world.stand_ins.tenancy.offers[world.app_id, "t"] = "new@example.net"
    refused = await world.refused(
        SignUp(email="new@example.net", password=PASSWORD, invitation="t")
    )

    assert isinstance(refused, Invalid)


async def test_verified_address_asks_to_join(world: World) -> None:
    """After an address is verified, tenancy is asked if an organization accepts its domain."""
    flow = await world.call(SignUp(email="new@acme.test", password=PASSWORD))
    assert world.stand_ins.tenancy.joined == []
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))

    assert world.stand_ins.tenancy.joined == [signed.full().user_id]


async def test_the_last_admin_cannot_delete_themselves(world: World) -> None:
    """If tenancy says that an organization needs the user, nothing changes and the user stays
    signed in. An administrator can still delete them."""
    ada = await world.user()
    signed = await world.sign_in(ada)
    world.stand_ins.tenancy.last_admins.add(ada.id)
    problem = await world.refused(DeleteMe(password=PASSWORD), caller=as_user(signed))

    assert isinstance(problem, LastAdmin)
    assert [each["name"] for each in problem.extra["organizations"]] == ["Acme"]
    assert await world.live_session(signed.token) is not None
    assert "user_deleted" not in [name for name, _ in await world.events()]
    await world.call(DeleteUser(user_id=ada.id), caller=ADMIN)
    assert world.stand_ins.tenancy.left == [(world.app_id, ada.id, True)]
    assert isinstance(await world.refused(GetUser(user_id=ada.id), caller=ADMIN), UserNotFound)


async def test_tenancy_is_asked_before_users_delete_themselves(world: World) -> None:
    """When users delete themselves, tenancy is asked first, for the same application and without
    force."""
    ada = await world.user()
    signed = await world.sign_in(ada)
    await world.call(DeleteMe(password=PASSWORD), caller=as_user(signed))

    assert world.stand_ins.tenancy.left == [(world.app_id, ada.id, False)]
    assert await world.live_session(signed.token) is None
