"""Email domains: proven by a TXT record, then open to users with a verified address there."""

from __future__ import annotations

import pytest
from tests.kit.dns_server import Zone
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Caller
from common.contracts.org_domains import (
    AddOrganizationDomain,
    DeleteOrganizationDomain,
    DomainNotFound,
    DomainNotProven,
    DomainTaken,
    JoinByDomain,
    ListOrganizationDomains,
    OrganizationDomain,
    OrganizationDomainChanges,
    UpdateOrganizationDomain,
    VerifyOrganizationDomain,
)
from common.contracts.organizations import OrganizationNotFound
from common.problems import Forbidden, Invalid, Unavailable
from tenancy.dns_lookup import Dns


def texts(*values: str) -> list[str]:
    """Returns the TXT records as a zone file has them."""
    return [f'"{value}"' for value in values]


async def proven(world: World, zone: Zone, admin: Caller, domain: str) -> OrganizationDomain:
    org = await world.organization(admin)
    added = await world.call(AddOrganizationDomain(org_id=org.id, domain=domain), admin)
    zone.records[added.record_name, "TXT"] = texts("v=spf1 -all", added.record_value)
    return await world.call(VerifyOrganizationDomain(org_id=org.id, domain_id=added.id), admin)


async def join(world: World, who: Caller, app_id: str | None = None) -> list[str]:
    return (await world.call(JoinByDomain(user_id=who.id or ""), SYSTEM_CALLER, app_id)).org_ids


async def test_domain_holds_only_once_proven(world: World, zone: Zone) -> None:
    """Without the record the domain is not proven and no user joins. With it they do."""
    ada = await world.user_caller()
    org = await world.organization(ada)
    added = await world.call(AddOrganizationDomain(org_id=org.id, domain="acme.test"), ada)
    verify = VerifyOrganizationDomain(org_id=org.id, domain_id=added.id)
    bob = await world.user_caller("bob@acme.test")
    with pytest.raises(DomainNotProven):
        await world.call(verify, ada)
    assert await join(world, bob) == []
    zone.records["_aero2-challenge.acme.test", "TXT"] = texts(added.record_value + "x")
    with pytest.raises(DomainNotProven):
        await world.call(verify, ada)
    zone.records["_aero2-challenge.acme.test", "TXT"] = texts(added.record_value)

    assert (await world.call(verify, ada)).verified_at is not None
    assert await join(world, bob) == [org.id]
    assert (await world.rights(bob, org_id=org.id)).org_role == "member"
    assert (world.app_id, "rights", bob.id) in world.invalidation.published
    assert (await world.event_types())[-3:] == [
        "org_domain_added",
        "org_domain_verified",
        "member_added",
    ]


async def test_only_a_verified_address_joins(world: World, zone: Zone) -> None:
    """An unverified address, a subdomain, a disabled user and another application's user do not
    join. Nobody joins twice."""
    ada = await world.user_caller()
    domain = await proven(world, zone, ada, "verified.test")
    unverified, disabled = (
        await world.user_caller("u@verified.test"),
        await world.user_caller("d@verified.test"),
    )
    await world.owner.execute(
        "UPDATE users SET email_verified = false WHERE id = $1", unverified.id
    )
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", disabled.id)
    sub = await world.user_caller("s@mail.verified.test")
    foreign = await world.user_caller("f@verified.test", world.other_app_id)
    bob = await world.user_caller("Bob@VERIFIED.test")

    assert [await join(world, who) for who in (unverified, disabled, sub)] == [[], [], []]
    assert await join(world, foreign, world.other_app_id) == []
    assert await join(world, bob) == [domain.org_id]
    assert await join(world, bob) == []


async def test_closed_domain_lets_nobody_join(world: World, zone: Zone) -> None:
    """Without auto_join the proof stays and no user joins. The role of new members can be set."""
    ada = await world.user_caller()
    domain = await proven(world, zone, ada, "closed.test")
    ids = {"org_id": domain.org_id, "domain_id": domain.id}
    await world.call(
        UpdateOrganizationDomain(**ids, changes=OrganizationDomainChanges(auto_join=False)), ada
    )
    assert await join(world, await world.user_caller("a@closed.test")) == []
    changed = await world.call(
        UpdateOrganizationDomain(
            **ids, changes=OrganizationDomainChanges(auto_join=True, role="admin")
        ),
        ada,
    )
    assert changed.verified_at is not None
    bob = await world.user_caller("b@closed.test")
    await join(world, bob)
    assert (await world.rights(bob, org_id=domain.org_id)).org_role == "admin"


async def test_one_proven_owner_in_an_application(world: World, zone: Zone) -> None:
    """Two organizations may claim a domain, and one proves it. Another application has an owner of
    its own."""
    ada, bob = await world.user_caller(), await world.user_caller()
    mine, his = await world.organization(ada), await world.organization(bob)
    one = await world.call(AddOrganizationDomain(org_id=mine.id, domain="both.test"), ada)
    two = await world.call(AddOrganizationDomain(org_id=his.id, domain="both.test"), bob)
    zone.records[one.record_name, "TXT"] = texts(one.record_value, two.record_value)
    await world.call(VerifyOrganizationDomain(org_id=mine.id, domain_id=one.id), ada)

    with pytest.raises(DomainTaken):
        await world.call(VerifyOrganizationDomain(org_id=his.id, domain_id=two.id), bob)
    with pytest.raises(DomainTaken):
        await world.call(
            AddOrganizationDomain(org_id=(await world.organization(bob)).id, domain="both.test"),
            bob,
        )


async def test_domains_are_for_admins(world: World, zone: Zone) -> None:
    """Members and strangers cannot see or change domains."""
    ada, bob, eve = await world.user_caller(), await world.user_caller(), await world.user_caller()
    domain = await proven(world, zone, ada, "admins.test")
    await world.join(domain.org_id, bob)
    for request in (
        AddOrganizationDomain(org_id=domain.org_id, domain="x.test"),
        ListOrganizationDomains(org_id=domain.org_id),
        VerifyOrganizationDomain(org_id=domain.org_id, domain_id=domain.id),
        DeleteOrganizationDomain(org_id=domain.org_id, domain_id=domain.id),
    ):
        with pytest.raises(Forbidden):
            await world.call(request, bob)
        with pytest.raises(OrganizationNotFound):
            await world.call(request, eve)


async def test_removed_domain_keeps_its_members(world: World, zone: Zone) -> None:
    """Removing a domain removes no member. The id of another organization does not reach it."""
    ada = await world.user_caller()
    domain = await proven(world, zone, ada, "gone.test")
    bob = await world.user_caller("bob@gone.test")
    await join(world, bob)
    other = await world.organization(ada, "Other")
    with pytest.raises(DomainNotFound):
        await world.call(DeleteOrganizationDomain(org_id=other.id, domain_id=domain.id), ada)
    await world.call(DeleteOrganizationDomain(org_id=domain.org_id, domain_id=domain.id), ada)

    assert (await world.rights(bob, org_id=domain.org_id)).org_role == "member"
    assert await join(world, await world.user_caller("new@gone.test")) == []


@pytest.mark.parametrize("domain", ["acme", "acme.test..", "a b.test", "-a.test", "a..test", "*.x"])
async def test_bad_domains_are_refused(world: World, domain: str) -> None:
    """A domain needs at least two labels."""
    ada = await world.user_caller()
    org = await world.organization(ada)
    with pytest.raises((Invalid, ValueError)):
        await world.call(AddOrganizationDomain(org_id=org.id, domain=domain), ada)


async def test_silent_name_server_is_no_proof_and_no_denial(world: World) -> None:
    """If no DNS server answers, the caller is told to try again."""
    with pytest.raises(Unavailable):
        await Dns(["127.0.0.1:9"]).txt("x.test")
