"""Joining through an organization's own provider, and what a lost proof of a domain stops."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.dns_server import Zone
from tests.kit.world import World
from tests.service.organizations.test_domains import join, proven, texts

from common.context import SYSTEM_CALLER
from common.contracts.members import ChangeMemberRole
from common.contracts.org_domains import (
    AddOrganizationDomain,
    ListOrganizationDomains,
    VerifyOrganizationDomain,
)
from common.contracts.organizations import OrganizationNotFound
from common.contracts.sso_members import JoinThroughProvider
from common.problems import Forbidden
from tenancy import org_domain_recheck
from tenancy.dns_lookup import Dns


async def _joined(world: World, org_id: str, user_id: str | None, **more: Any) -> str | None:
    request = JoinThroughProvider(org_id=org_id, user_id=user_id or "", **more)
    return (await world.call(request, SYSTEM_CALLER)).role


async def _age(world: World, hours: int) -> None:
    await world.owner.execute(
        "UPDATE organization_domains SET checked_at = checked_at - make_interval(hours => $2),"
        " missing_since = missing_since - make_interval(hours => $2) WHERE app_id = $1",
        world.app_id,
        hours,
    )


async def test_only_its_own_domains_join(world: World, zone: Zone) -> None:
    """The organization's provider adds users of verified domains. A foreign domain, a subdomain, no
    address, an unproven domain and another organization's domain add nobody."""
    ada = await world.user_caller()
    domain = await proven(world, zone, ada, "sso.test")
    await proven(world, zone, ada, "neighbour.test")
    await world.call(AddOrganizationDomain(org_id=domain.org_id, domain="unproven.test"), ada)
    bob = await world.user_caller()
    for email in ("b@else.test", "b@x.sso.test", None, "b@unproven.test", "b@neighbour.test"):
        assert await _joined(world, domain.org_id, bob.id, email=email) is None
    assert (await world.rights(bob, org_id=domain.org_id)).org_role is None

    assert await _joined(world, domain.org_id, bob.id, email="B@SSO.test") == "member"
    assert (await world.rights(bob, org_id=domain.org_id)).org_role == "member"
    assert (world.app_id, "rights", bob.id) in world.invalidation.published
    before = await world.event_types()
    assert await _joined(world, domain.org_id, bob.id, email="B@SSO.test") == "member"
    assert await world.event_types() == before
    request = JoinThroughProvider(org_id=domain.org_id, user_id=bob.id or "")
    with pytest.raises(OrganizationNotFound):
        await world.call(request, SYSTEM_CALLER, world.other_app_id)


async def test_disabled_users_do_not_join(world: World, zone: Zone) -> None:
    """A disabled user is not added."""
    domain = await proven(world, zone, await world.user_caller(), "off.test")
    bob = await world.user_caller()
    await world.owner.execute("UPDATE users SET disabled = true WHERE id = $1", bob.id)

    assert await _joined(world, domain.org_id, bob.id, email="b@off.test") is None


async def test_role_follows_the_rules(world: World, zone: Zone) -> None:
    """The mapped role comes and goes. A role that no rule names stays, and so does the last admin. A
    role that does not exist gives the role of the domain."""
    ada = await world.user_caller()
    org_id = (await proven(world, zone, ada, "roles.test")).org_id
    bob = await world.user_caller()
    mapped = {"email": "b@roles.test", "mapped_roles": ["admin", "gone"]}

    assert await _joined(world, org_id, bob.id, role="gone", **mapped) == "member"
    assert await _joined(world, org_id, bob.id, role="admin", **mapped) == "admin"
    assert await _joined(world, org_id, bob.id, **mapped) == "member"
    assert await _joined(world, org_id, ada.id, **mapped) == "admin"
    unnamed = {"email": "b@roles.test", "mapped_roles": ["gone"]}
    await world.call(ChangeMemberRole(org_id=org_id, user_id=bob.id or "", role="admin"), ada)
    assert await _joined(world, org_id, bob.id, **unnamed) == "admin"


async def test_lost_proof_stops_joins(world: World, zone: Zone) -> None:
    """A missing record stops joins at the daily recheck, and a record that is back opens them again.
    After three days the domain is no longer verified. A silent DNS changes nothing."""
    ada = await world.user_caller()
    domain = await proven(world, zone, ada, "lost.test")
    bob, eve = await world.user_caller("b@lost.test"), await world.user_caller("e@lost.test")
    del zone.records[domain.record_name, "TXT"]
    await org_domain_recheck.recheck_due(world.tenancy)
    assert (await _domain(world, domain.org_id)).missing_since is None  # not due
    dns = world.tenancy.dns
    await _age(world, 25)
    silent = Dns(["127.0.0.1:9"])
    object.__setattr__(world.tenancy, "dns", silent)
    await org_domain_recheck.recheck_due(world.tenancy)
    object.__setattr__(world.tenancy, "dns", dns)
    assert (await _domain(world, domain.org_id)).missing_since is None

    await _age(world, 25)
    await org_domain_recheck.recheck_due(world.tenancy)
    assert (await _domain(world, domain.org_id)).missing_since is not None
    assert await join(world, bob) == []
    assert await _joined(world, domain.org_id, eve.id, email="e@lost.test") is None
    zone.records[domain.record_name, "TXT"] = texts(domain.record_value)
    await _age(world, 25)
    await org_domain_recheck.recheck_due(world.tenancy)
    assert await join(world, bob) == [domain.org_id]

    del zone.records[domain.record_name, "TXT"]
    for _ in range(4):
        await _age(world, 25)
        await org_domain_recheck.recheck_due(world.tenancy)
    assert (await _domain(world, domain.org_id)).verified_at is None
    assert ("org_domain_lost", {"org_id": domain.org_id, "domain": "lost.test"}) in (
        await world.events()
    )


async def test_second_domain_leaves_the_first_alone(world: World, zone: Zone) -> None:
    """Adding and verifying another domain does not change the first one."""
    ada = await world.user_caller()
    first = await proven(world, zone, ada, "first.test")
    second = await world.call(AddOrganizationDomain(org_id=first.org_id, domain="second.test"), ada)
    listed = (await world.call(ListOrganizationDomains(org_id=first.org_id), ada)).domains
    assert [(row.domain, row.verified_at is not None) for row in listed] == [
        ("first.test", True),
        ("second.test", False),
    ]
    zone.records[second.record_name, "TXT"] = texts(second.record_value)
    await world.call(VerifyOrganizationDomain(org_id=first.org_id, domain_id=second.id), ada)
    assert await _joined(world, first.org_id, (await world.user_caller()).id, email="x@first.test")


async def test_joining_is_for_the_services(world: World) -> None:
    """Nobody else calls it: not even an administrator of the application."""
    ada = await world.user_caller()
    org = await world.organization(ada)
    with pytest.raises(Forbidden):
        await world.call(JoinThroughProvider(org_id=org.id, user_id=ada.id or ""), ada)


async def _domain(world: World, org_id: str) -> Any:
    from tests.kit.callers import ADMIN

    (row,) = (await world.call(ListOrganizationDomains(org_id=org_id), ADMIN)).domains
    return row
