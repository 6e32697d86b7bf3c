"""What identity does about organizations: sign-up by their invitations, joining by domain."""

from __future__ import annotations

from tests.service.identity.conftest import PASSWORD, World

from common.contracts.email_codes import SignInWithCode
from common.contracts.invitations import InvitationNotFound
from common.contracts.sign_up import SignUp, SignUpClosed
from common.problems import Invalid


async def test_organization_invites_where_sign_up_is_by_invitation_only(world: World) -> None:
    """Whoever an organization invited may sign up with that address, and with no other."""
    world.set(world.a, signup_mode="invite_only")
    world.offers[world.a, "t"] = "new@example.com"
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


async def test_rules_for_domains_hold_for_the_invited_too(world: World) -> None:
    """An organization cannot invite an address whose domain the application refuses."""
    world.set(world.a, signup_mode="invite_only", blocked_email_domains=["example.net"])
    world.offers[world.a, "t"] = "new@example.net"
    refused = await world.refused(
        SignUp(email="new@example.net", password=PASSWORD, invitation="t")
    )

    assert isinstance(refused, Invalid)


async def test_verified_address_asks_to_join(world: World) -> None:
    """Once an address is proven, tenancy is asked whether an organization takes its domain."""
    flow = await world.call(SignUp(email="new@acme.test", password=PASSWORD))
    assert world.joined == []
    signed = await world.call(SignInWithCode(flow=flow.flow, code=(await world.mail()).code))

    assert world.joined == [signed.session.user_id]
