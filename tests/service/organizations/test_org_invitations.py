"""Invitations by mail: for one address, used once, for a limited time."""

from __future__ import annotations

import asyncio
import re

import pytest
from tests.kit.world import World

from common.context import Caller
from common.contracts.members import AlreadyMember, ChangeMemberRole, RemoveMember
from common.contracts.org_invitations import (
    AcceptOrganizationInvitation,
    GetOrganizationOffer,
    InviteMember,
    ListOrganizationInvitations,
    OrganizationInvitation,
    OrganizationInvitationNotFound,
    OrganizationInvitationPending,
    OtherAddress,
    ResendOrganizationInvitation,
    RevokeOrganizationInvitation,
)
from common.contracts.organizations import CreateOrganization, Organization, OrganizationNotFound
from common.contracts.roles import RoleNotFound
from common.mail import NOUN
from common.problems import Forbidden, Problem, RateLimited
from common.sweeps import sweep
from tenancy.queries.sweeps import EXPIRED

BOB = "Bob@Example.com"


async def invited(
    world: World, admin: Caller, email: str = BOB, role: str = "member"
) -> tuple[Organization, OrganizationInvitation, str]:
    org = await world.organization(admin)
    made = await world.call(InviteMember(org_id=org.id, email=email, role=role), admin)
    return org, made, (await world.mail()).token


async def test_mail_carries_a_link_of_the_stored_origin(world: World) -> None:
    """The link leads to the application's host and has 64 hex digits. Only their hash is stored."""
    ada = await world.user_caller("ada@example.com")
    org, made, token = await invited(world, ada)
    [mail] = await world.mails()
    row = await world.owner.fetchrow(
        "SELECT * FROM organization_invitations WHERE id = $1", made.id
    )
    assert row is not None

    assert re.fullmatch(r"[0-9a-f]{64}", token)
    assert mail.to.lower() == BOB.lower()
    assert (mail.kind, mail.data["org_name"]) == ("org_invitation", org.name)
    assert (mail.data["inviter"], mail.data["days"]) == ("Ada", 7)
    link = mail.data["link"]
    assert link.startswith(f"https://app-{world.app_id}.id.example.com/accept-org-invite?token=")
    assert token not in str(dict(row))
    assert token not in made.model_dump_json()
    assert (await world.event_types())[-1] == "org_invitation_sent"


async def test_the_mailer_of_identity_hears_of_each_mail_after_the_commit(world: World) -> None:
    """So it delivers at once. A refused invitation tells nothing."""
    ada = await world.user_caller("ada@example.com")
    org, made, _ = await invited(world, ada)
    told = (world.app_id, NOUN, "*")
    assert world.invalidation.published.count(told) == 1
    with pytest.raises(OrganizationInvitationPending):
        await world.call(InviteMember(org_id=org.id, email=BOB), ada)
    assert world.invalidation.published.count(told) == 1
    await world.owner.execute(
        "UPDATE organization_invitations SET sent_at = now() - interval '2 minutes'"
    )
    await world.call(ResendOrganizationInvitation(org_id=org.id, invitation_id=made.id), ada)
    assert world.invalidation.published.count(told) == 2


async def test_invited_user_joins_once(world: World) -> None:
    """The user with the address joins with the role, in any case. The link works once."""
    ada = await world.user_caller("ada@example.com")
    bob = await world.user_caller("bOB@eXAMPLE.com")
    org, _, token = await invited(world, ada, role="admin")
    offer = await world.call(GetOrganizationOffer(token=token), Caller())
    assert (offer.org_name, offer.role) == (org.name, "admin")
    joined = await world.call(AcceptOrganizationInvitation(token=token), bob)

    assert (joined.id, joined.role) == (org.id, "admin")
    assert (world.app_id, "rights", bob.id) in world.invalidation.published
    assert (await world.event_types())[-2:] == ["member_added", "org_invitation_accepted"]
    for request, who in (
        (AcceptOrganizationInvitation(token=token), bob),
        (GetOrganizationOffer(token=token), Caller()),
    ):
        with pytest.raises(OrganizationInvitationNotFound):
            await world.call(request, who)


@pytest.mark.fault("F27")
async def test_racing_acceptances_join_once(world: World) -> None:
    """Of eight simultaneous uses of a link one succeeds."""
    ada, bob = await world.user_caller("ada@example.com"), await world.user_caller(BOB)
    _, _, token = await invited(world, ada)
    outcomes = await asyncio.gather(
        *(world.call(AcceptOrganizationInvitation(token=token), bob) for _ in range(8)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Organization) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 7


async def test_other_address_is_refused_and_leaves_the_link_alive(world: World) -> None:
    """A user with another address does not join, and the link stays valid."""
    ada, bob = await world.user_caller("ada@example.com"), await world.user_caller(BOB)
    eve, nameless = await world.user_caller("eve@example.com"), await world.user_caller()
    org, _, token = await invited(world, ada)
    for who in (eve, nameless):
        with pytest.raises(OtherAddress):
            await world.call(AcceptOrganizationInvitation(token=token), who)

    assert (await world.call(AcceptOrganizationInvitation(token=token), bob)).id == org.id


async def test_token_of_another_application_is_unknown(world: World) -> None:
    """The link does not work in another application, even for the same address."""
    ada = await world.user_caller("ada@example.com")
    twin = await world.user_caller(BOB, world.other_app_id)
    _, _, token = await invited(world, ada)
    with pytest.raises(OrganizationInvitationNotFound):
        await world.call(AcceptOrganizationInvitation(token=token), twin, world.other_app_id)
    with pytest.raises(OrganizationInvitationNotFound):
        await world.call(GetOrganizationOffer(token=token), Caller(), world.other_app_id)


async def test_unknown_expired_and_revoked_look_alike(world: World) -> None:
    """Unknown, expired and revoked invitations get the same answer."""
    ada, bob = await world.user_caller("ada@example.com"), await world.user_caller(BOB)
    org, first, expired = await invited(world, ada)
    await world.owner.execute(
        "UPDATE organization_invitations SET expires_at = now() - interval '1 second'"
    )
    await world.call(InviteMember(org_id=org.id, email="x@example.com"), ada)
    [second] = (
        await world.call(ListOrganizationInvitations(org_id=org.id, status="pending"), ada)
    ).invitations
    revoked = (await world.mail()).token
    await world.call(RevokeOrganizationInvitation(org_id=org.id, invitation_id=second.id), ada)

    answers = []
    for token in (expired, revoked, "0" * 64):
        with pytest.raises(OrganizationInvitationNotFound) as refused:
            await world.call(AcceptOrganizationInvitation(token=token), bob)
        answers.append(refused.value.to_wire())
    assert answers[0] == answers[1] == answers[2]
    assert first.status == "pending"


async def test_answer_does_not_tell_whether_the_address_has_an_account(world: World) -> None:
    """A known and an unknown address get the same answer and the same mail."""
    ada = await world.user_caller("ada@example.com")
    await world.user_caller("known@example.com")
    org = await world.organization(ada)
    made = [
        await world.call(InviteMember(org_id=org.id, email=email), ada)
        for email in ("known@example.com", "unknown@example.com")
    ]
    one, two = await world.mails()

    assert made[0].model_fields_set == made[1].model_fields_set
    assert made[0].status == made[1].status == "pending"
    assert set(one.data) == set(two.data)


async def test_one_pending_invitation_an_address(world: World) -> None:
    """A second invitation and one for a member are conflicts. An expired one is not."""
    ada = await world.user_caller("ada@example.com")
    org, made, _ = await invited(world, ada)
    with pytest.raises(OrganizationInvitationPending):
        await world.call(InviteMember(org_id=org.id, email=BOB.upper()), ada)
    with pytest.raises(AlreadyMember):
        await world.call(InviteMember(org_id=org.id, email="ADA@example.com"), ada)
    with pytest.raises(RoleNotFound):
        await world.call(InviteMember(org_id=org.id, email="x@example.com", role="nope"), ada)
    await world.owner.execute(
        "UPDATE organization_invitations SET expires_at = now() WHERE id = $1", made.id
    )

    again = await world.call(InviteMember(org_id=org.id, email=BOB), ada)
    assert again.id != made.id


async def test_resending_kills_the_old_link(world: World) -> None:
    """A new mail has a new token and the old one is invalid. One mail a minute is allowed."""
    ada, bob = await world.user_caller("ada@example.com"), await world.user_caller(BOB)
    org, made, old = await invited(world, ada)
    again = ResendOrganizationInvitation(org_id=org.id, invitation_id=made.id)
    with pytest.raises(RateLimited):
        await world.call(again, ada)
    await world.owner.execute(
        "UPDATE organization_invitations SET sent_at = sent_at - interval '2 minutes',"
        " expires_at = now() - interval '1 second' WHERE id = $1",
        made.id,
    )
    renewed = await world.call(again, ada)
    with pytest.raises(OrganizationInvitationNotFound):
        await world.call(AcceptOrganizationInvitation(token=old), bob)

    assert renewed.status == "pending"
    token = (await world.mail()).token
    assert (await world.call(AcceptOrganizationInvitation(token=token), bob)).id == org.id
    with pytest.raises(OrganizationInvitationNotFound):
        await world.call(again, ada)


async def test_invitations_are_for_admins(world: World) -> None:
    """Members cannot invite or see invitations. Strangers do not find the organization."""
    ada, bob, eve = [await world.user_caller(f"{n}@example.com") for n in ("ada", "bob2", "eve")]
    org, made, _ = await invited(world, ada)
    await world.join(org.id, bob)
    for request in (
        InviteMember(org_id=org.id, email="x@example.com"),
        ListOrganizationInvitations(org_id=org.id),
        RevokeOrganizationInvitation(org_id=org.id, invitation_id=made.id),
        ResendOrganizationInvitation(org_id=org.id, invitation_id=made.id),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, bob)
        with pytest.raises(OrganizationNotFound):
            await world.call(request, eve)


async def test_lists_by_status_without_tokens(world: World) -> None:
    """Each status has a list, the newest first, page by page, without tokens."""
    ada = await world.user_caller("ada@example.com")
    org = await world.organization(ada)
    made = [
        await world.call(InviteMember(org_id=org.id, email=f"p{n}@example.com"), ada)
        for n in range(4)
    ]
    await world.owner.execute(
        "UPDATE organization_invitations SET expires_at = now() WHERE id = $1", made[0].id
    )
    await world.call(RevokeOrganizationInvitation(org_id=org.id, invitation_id=made[1].id), ada)

    async def ids(status: str | None, **more: object) -> list[str]:
        request = ListOrganizationInvitations(org_id=org.id, status=status, **more)
        page = await world.call(request, ada)
        assert "token" not in page.model_dump_json().replace("next", "")
        return [each.id for each in page.invitations]

    assert await ids("pending") == [made[3].id, made[2].id]
    assert await ids("expired") == [made[0].id]
    assert await ids("revoked") == [made[1].id]
    assert await ids(None) == [each.id for each in reversed(made)]
    first = await world.call(ListOrganizationInvitations(org_id=org.id, limit=3), ada)
    assert await ids(None, cursor=first.next) == [made[0].id]


async def test_invitations_of_a_day_are_limited(world: World) -> None:
    """An organization has a limit of invitations for each day."""
    ada = await world.user_caller("ada@example.com")
    org = await world.organization(ada)
    await world.owner.execute(
        "INSERT INTO organization_invitations (app_id, id, org_id, email, email_normalized, token_hash, expires_at)"
        " SELECT $1, gen_random_uuid(), $2, n || '@example.com', n || '@example.com', n::text, now() FROM"
        " generate_series(1, 200) n",
        world.app_id,
        org.id,
    )
    with pytest.raises(RateLimited):
        await world.call(InviteMember(org_id=org.id, email="x@example.com"), ada)


async def test_nobody_goes_round_the_limit_by_more_organizations(world: World) -> None:
    """The limit also counts one user's mails for all organizations together."""
    ada = await world.user_caller("ada@example.com")
    first, second = await world.organization(ada, "One"), await world.organization(ada, "Two")
    await world.owner.execute(
        "INSERT INTO organization_invitations"
        " (app_id, id, org_id, email, email_normalized, token_hash, expires_at, invited_by)"
        " SELECT $1, gen_random_uuid(), $2, n || '@example.com', n || '@example.com', n::text, now(), $3 FROM"
        " generate_series(1, 200) n",
        world.app_id,
        first.id,
        ada.id,
    )
    with pytest.raises(RateLimited):
        await world.call(InviteMember(org_id=second.id, email="x@example.com"), ada)


async def test_old_invitations_are_swept(world: World) -> None:
    """Invitations that expired three months ago are deleted in every application. Later ones are
    still listed."""
    ada = await world.user_caller("ada@example.com")
    org, old, _ = await invited(world, ada)
    late = await world.call(InviteMember(org_id=org.id, email="late@example.com"), ada)
    for id, days in ((old.id, 91), (late.id, 89)):
        await world.owner.execute(
            "UPDATE organization_invitations SET expires_at = now() - $2 * interval '1 day'"
            " WHERE id = $1",
            id,
            days,
        )

    gone = await sweep(world.sweep_db, EXPIRED)
    assert gone["organization_invitations"] >= 1
    listed = await world.call(ListOrganizationInvitations(org_id=org.id), ada)
    assert [(each.id, each.status) for each in listed.invitations] == [(late.id, "expired")]


async def test_an_invitation_into_a_team_makes_a_developer(world: World) -> None:
    """The default role is `developer` on the Dashboard and `member` in an application. A developer
    of the team can invite or change nobody."""
    lead = await world.dashboard_user(email=f"lead-{world.app_id}@example.com")
    newcomer = await world.dashboard_user(email=f"new-{world.app_id}@example.com")
    team = await world.call(CreateOrganization(name="Team"), lead, world.dashboard)
    asked = InviteMember(org_id=team.id, email=f"new-{world.app_id}@example.com")

    made = await world.call(asked, lead, world.dashboard)
    link = (await world.mail(world.dashboard)).data["link"]
    joined = await world.call(
        AcceptOrganizationInvitation(token=link.partition("token=")[2]), newcomer, world.dashboard
    )

    assert (made.role, joined.role) == ("developer", "developer")
    ada = await world.user_caller("ada@example.com")
    org = await world.organization(ada)
    plain = await world.call(InviteMember(org_id=org.id, email="x@example.com"), ada)
    assert plain.role == "member"
    newcomer = await world.caller_of(newcomer, world.dashboard)
    for request in (
        InviteMember(org_id=team.id, email="y@example.com"),
        ChangeMemberRole(org_id=team.id, user_id=newcomer.id or "", role="admin"),
        RemoveMember(org_id=team.id, user_id=lead.id or ""),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, newcomer, world.dashboard)
