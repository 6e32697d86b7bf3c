"""Custom domains: any application may add one, and the one that proves it gets it. A DNS server
answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.kit.callers import secret_key_of
from tests.kit.dns_server import Zone
from tests.kit.world import World

from common.context import SYSTEM_CALLER, Context
from common.contracts.applications import DeleteApplication, GetApplication, NewApplication
from common.contracts.domains import (
    AddCustomDomain,
    CustomDomain,
    CustomDomainNotFound,
    CustomDomainNotVerified,
    CustomDomainTaken,
    IsDomainAllowed,
    ListCustomDomains,
    RemoveCustomDomain,
    SetPrimaryDomain,
    TooManyCustomDomains,
    VerifyCustomDomain,
)
from common.contracts.tenants import GetTenant, ResolveHost, UnknownHost
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Unavailable
from common.testing import context
from tenancy import domain_proof, domain_recheck, domains
from tenancy.dns_lookup import Dns
from tenancy.hosts import Hosts

NAME = "auth.shop.example"


def anyone() -> Context:
    return context(DASHBOARD)


@pytest_asyncio.fixture
async def zone(world: World) -> AsyncIterator[Zone]:
    """The DNS, and the platform at https://id.example.com."""
    zone = await Zone.start()
    world.replace_deps("tenancy", dns=Dns([zone.address]), hosts=Hosts("https", "id.example.com"))
    yield zone
    zone.stop()


async def claimed(world: World, app: NewApplication, name: str = NAME) -> CustomDomain:
    made: CustomDomain = await world.call(AddCustomDomain(domain=name), secret_key_of(app.id))
    return made


def publish(zone: Zone, domain: CustomDomain, *, txt: bool = True, cname: bool = True) -> None:
    """Sets the records that a developer would copy."""
    for record in domain.records:
        if record.type == "TXT" and txt:
            values = zone.records.setdefault((record.name, "TXT"), [])
            values.append(f'"{record.value}"')
        if record.type == "CNAME" and cname:
            zone.records[record.name, "CNAME"] = [f"{record.value}."]


async def proven(world: World, zone: Zone, app: NewApplication, name: str = NAME) -> CustomDomain:
    domain = await claimed(world, app, name)
    publish(zone, domain)
    found: CustomDomain = await world.call(VerifyCustomDomain(id=domain.id), secret_key_of(app.id))
    assert found.verified, found.problem
    return found


async def test_a_domain_answers_once_it_is_proven(world: World, zone: Zone) -> None:
    """A domain with one of two records does not answer. With both it does, and an invalidation is
    sent."""
    app = await world.create_application()
    domain = await claimed(world, app)
    ctx = secret_key_of(app.id)

    nothing = await world.call(VerifyCustomDomain(id=domain.id), ctx)
    publish(zone, domain, cname=False)
    half = await world.call(VerifyCustomDomain(id=domain.id), ctx)
    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host=NAME), anyone())
    world.invalidation.published.clear()
    publish(zone, domain, txt=False)
    whole = await world.call(VerifyCustomDomain(id=domain.id), ctx)

    assert [record.ok for record in nothing.records] == [False, False]
    assert nothing.problem == f"no TXT record _aero2.{NAME} with the expected value"
    assert [record.ok for record in half.records] == [True, False]
    assert half.problem == f"{NAME} does not lead to {app.slug}.id.example.com"
    assert (whole.verified, whole.primary, whole.problem) == (True, False, None)
    assert (app.id, "application", app.id) in world.invalidation.published
    assert (await world.call(ResolveHost(host=NAME.upper()), anyone())).app_id == app.id
    assert (await world.event_types(app_id=app.id))[2:] == [
        "custom_domain_added",
        "custom_domain_verified",
    ]


async def test_a_token_of_another_application_proves_nothing(world: World, zone: Zone) -> None:
    """Each claim has a token of its own, so the record of another application proves nothing."""
    app, stranger = await world.create_application(), await world.create_application()
    publish(zone, await claimed(world, app))
    foreign = await claimed(world, stranger)
    zone.records[NAME, "CNAME"] = [f"{stranger.slug}.id.example.com."]

    found = await world.call(VerifyCustomDomain(id=foreign.id), secret_key_of(stranger.id))

    assert not found.verified
    assert [record.ok for record in found.records] == [False, True]


async def test_an_apex_leads_to_us_by_its_addresses(world: World, zone: Zone) -> None:
    """An apex without an alias needs the platform's addresses, and no others."""
    app = await world.create_application()
    domain = await claimed(world, app, "shop.example")
    publish(zone, domain, cname=False)
    zone.records[f"{app.slug}.id.example.com", "A"] = ["192.0.2.1", "192.0.2.2"]
    ctx = secret_key_of(app.id)

    zone.records["shop.example", "A"] = ["192.0.2.1", "198.51.100.9"]
    mixed = await world.call(VerifyCustomDomain(id=domain.id), ctx)
    zone.records["shop.example", "A"] = ["192.0.2.1"]
    same = await world.call(VerifyCustomDomain(id=domain.id), ctx)

    assert (mixed.verified, same.verified) == (False, True)


async def test_aliases_are_followed_to_an_end(world: World, zone: Zone) -> None:
    """Aliases are followed through a chain, but not round a circle."""
    app, other = await world.create_application(), await world.create_application()
    chained, circular = await claimed(world, app), await claimed(world, other, "a.example")
    publish(zone, chained, cname=False)
    publish(zone, circular, cname=False)
    zone.records[NAME, "CNAME"] = ["edge.shop.example."]
    zone.records["edge.shop.example", "CNAME"] = [f"{app.slug}.ID.example.com."]
    zone.records["a.example", "CNAME"] = ["b.example."]
    zone.records["b.example", "CNAME"] = ["a.example."]

    assert (await world.call(VerifyCustomDomain(id=chained.id), secret_key_of(app.id))).verified
    found = await world.call(VerifyCustomDomain(id=circular.id), secret_key_of(other.id))
    assert not found.verified


async def test_a_silent_dns_proves_nothing_either_way(world: World, zone: Zone) -> None:
    """If the DNS is down, a check answers 503 and a proven domain stays proven."""
    app = await world.create_application()
    domain = await proven(world, zone, app)
    zone.broken = True
    await _age(world, "checked_at")

    with pytest.raises(Unavailable):
        await world.call(VerifyCustomDomain(id=domain.id), secret_key_of(app.id))
    await domain_recheck.recheck_due(world.tenancy)

    assert (await world.call(ResolveHost(host=NAME), anyone())).app_id == app.id


async def test_the_issuer_follows_the_primary_domain(world: World, zone: Zone) -> None:
    """The primary domain changes host and origin. Both hosts answer, and it can be changed back."""
    team = await world.team()
    app = await world.create_application(team)
    domain = await proven(world, zone, app)
    ctx, slug_host = secret_key_of(app.id), f"{app.slug}.id.example.com"
    before = await world.call(GetTenant(), context(app.id, SYSTEM_CALLER))

    listed = await world.call(SetPrimaryDomain(id=domain.id), ctx)
    during = await world.call(GetTenant(), context(app.id, SYSTEM_CALLER))
    shown = await world.call(GetApplication(slug=app.slug), await world.developer(team))
    hosts = [(await world.call(ResolveHost(host=host), anyone())).app_id for host in during.hosts]
    await world.call(SetPrimaryDomain(id=None), ctx)
    after = await world.call(GetTenant(), context(app.id, SYSTEM_CALLER))

    assert [found.primary for found in listed.domains] == [True]
    assert (before.host, during.host, after.host) == (slug_host, NAME, slug_host)
    assert during.origin == f"https://{NAME}"
    assert (shown.custom_domain, shown.custom_domain_verified) == (NAME, True)
    assert set(during.hosts) == {NAME, slug_host}
    assert hosts == [app.id, app.id]
    assert (await world.event_types(app_id=app.id)).count("custom_domain_made_primary") == 2


async def test_only_a_proven_domain_becomes_primary(world: World, zone: Zone) -> None:
    """A claimed domain cannot become primary."""
    app = await world.create_application()
    domain = await claimed(world, app)

    with pytest.raises(CustomDomainNotVerified):
        await world.call(SetPrimaryDomain(id=domain.id), secret_key_of(app.id))
    with pytest.raises(CustomDomainNotFound):
        await world.call(SetPrimaryDomain(id=new_id()), secret_key_of(app.id))


async def test_a_removed_domain_needs_a_new_proof(world: World, zone: Zone) -> None:
    """A removed domain no longer answers. A new claim has a new token, and the old record proves
    nothing."""
    app = await world.create_application()
    domain = await proven(world, zone, app)
    ctx = secret_key_of(app.id)
    await world.call(SetPrimaryDomain(id=domain.id), ctx)

    await world.call(RemoveCustomDomain(id=domain.id), ctx)

    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host=NAME), anyone())
    tenant = await world.call(GetTenant(), context(app.id, SYSTEM_CALLER))
    assert tenant.host == f"{app.slug}.id.example.com"
    again = await claimed(world, app)
    assert not (await world.call(VerifyCustomDomain(id=again.id), ctx)).verified
    assert again.records[0].value != domain.records[0].value


async def test_a_proven_domain_has_one_owner(world: World, zone: Zone) -> None:
    """While the first proof exists, a second application cannot get the domain, even with a proof."""
    app, other = await world.create_application(), await world.create_application()
    await proven(world, zone, app)
    second = await claimed(world, other)
    publish(zone, second)

    with pytest.raises(CustomDomainTaken):
        await world.call(VerifyCustomDomain(id=second.id), secret_key_of(other.id))

    assert (await world.call(ResolveHost(host=NAME), anyone())).app_id == app.id


async def test_a_new_owner_of_the_domain_gets_it(world: World, zone: Zone) -> None:
    """If the old proof is gone and a new one exists, the domain moves at once. The former
    application gets an event."""
    app, other = await world.create_application(), await world.create_application()
    await world.call(
        SetPrimaryDomain(id=(await proven(world, zone, app)).id), secret_key_of(app.id)
    )
    second = await claimed(world, other)
    zone.records.clear()
    publish(zone, second)

    found = await world.call(VerifyCustomDomain(id=second.id), secret_key_of(other.id))

    assert found.verified
    assert (await world.call(ResolveHost(host=NAME), anyone())).app_id == other.id
    former = await world.call(GetTenant(), context(app.id, SYSTEM_CALLER))
    assert former.host == f"{app.slug}.id.example.com"
    assert "custom_domain_lost" in await world.event_types(app_id=app.id)
    assert (app.id, "application", app.id) in world.invalidation.published


async def test_a_lost_proof_counts_after_days(world: World, zone: Zone) -> None:
    """A deleted record can be restored. After three days the domain is lost."""
    app = await world.create_application()
    domain = await proven(world, zone, app)
    record = zone.records.pop((f"_aero2.{NAME}", "TXT"))
    zone.records[f"_aero2.{NAME}", "A"] = ["192.0.2.1"]

    await _age(world, "checked_at")
    await domain_recheck.recheck_due(world.tenancy)
    shown = (await world.call(ListCustomDomains(), secret_key_of(app.id))).domains[0]
    assert (shown.verified, shown.records[0].ok) == (True, False)
    zone.records[f"_aero2.{NAME}", "TXT"] = record
    await _age(world, "checked_at")
    await domain_recheck.recheck_due(world.tenancy)
    shown = (await world.call(ListCustomDomains(), secret_key_of(app.id))).domains[0]
    assert (shown.verified, shown.records[0].ok) == (True, True)

    del zone.records[f"_aero2.{NAME}", "TXT"]
    for _ in range(2):
        await _age(world, "checked_at")
        await _age(world, "updated_at")
        await domain_recheck.recheck_due(world.tenancy)

    with pytest.raises(UnknownHost):
        await world.call(ResolveHost(host=NAME), anyone())
    assert "custom_domain_lost" in await world.event_types(app_id=app.id)
    shown = (await world.call(ListCustomDomains(), secret_key_of(app.id))).domains[0]
    assert shown.records[0].value != domain.records[0].value


async def test_a_surprise_stays_with_its_own_domain(
    world: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The DNS answers are a tenant's choice. An unexpected error ends neither the round nor the
    job, and is not repeated at once."""
    await proven(world, zone, await world.create_application())
    look = domain_proof.look_up
    asked: list[Any] = []

    async def odd(*of: Any) -> Any:
        asked.append(of)
        if len(asked) == 1:
            raise ValueError("label of nothing")
        return await look(*of)

    monkeypatch.setattr(domain_proof, "look_up", odd)
    await _age(world, "checked_at")
    await domain_recheck.recheck_due(world.tenancy)
    await domain_recheck.recheck_due(world.tenancy)

    assert len(asked) == 1


async def test_a_fresh_check_is_not_repeated(world: World, zone: Zone) -> None:
    """The job checks each domain twice a day, not in every round."""
    await proven(world, zone, await world.create_application())
    asked = len(zone.asked)

    await domain_recheck.recheck_due(world.tenancy)

    assert asked == len(zone.asked)


async def test_claiming_twice_is_claiming_once(world: World, zone: Zone) -> None:
    """A second claim returns the first, so that a retry changes no token."""
    app = await world.create_application()

    first, second = await claimed(world, app), await claimed(world, app, NAME.upper() + ".")

    assert first == second
    assert (await world.event_types(app_id=app.id)).count("custom_domain_added") == 1


async def test_the_platforms_own_names_cannot_be_claimed(world: World, zone: Zone) -> None:
    """The platform's domain, its subdomains and names that are not public are refused."""
    from pydantic import ValidationError

    from common.problems import Invalid

    app = await world.create_application()
    for name in ("id.example.com", "dashboard.id.example.com", "x.y.id.example.com"):
        with pytest.raises(Invalid):
            await claimed(world, app, name)
    for name in ("shop", "192.0.2.1", "*.example.com", "a_b.example.com", "x.localhost", "a..b.c"):
        with pytest.raises(ValidationError):
            AddCustomDomain(domain=name)


async def test_an_international_name_is_kept_as_the_dns_has_it(world: World, zone: Zone) -> None:
    """A-labels are stored. The same name in another case or form is the same claim."""
    app = await world.create_application()

    made = await claimed(world, app, "Anmelden.Bücher.example")

    assert made.domain == "anmelden.xn--bcher-kva.example"


async def test_the_number_of_domains_is_limited(
    world: World, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application has a maximum number of domains."""
    monkeypatch.setattr(domains, "LIMIT", 2)
    app = await world.create_application()
    for number in range(2):
        await claimed(world, app, f"a{number}.example.org")

    with pytest.raises(TooManyCustomDomains):
        await claimed(world, app, "b.example.org")
    assert len((await world.call(ListCustomDomains(), secret_key_of(app.id))).domains) == 2


async def test_the_domains_of_others_are_not_found(world: World, zone: Zone) -> None:
    """Application A cannot see, check, promote or remove domains of B."""
    a, b = await world.create_application(), await world.create_application()
    foreign = await proven(world, zone, b)

    for request in (
        VerifyCustomDomain(id=foreign.id),
        RemoveCustomDomain(id=foreign.id),
        SetPrimaryDomain(id=foreign.id),
    ):
        with pytest.raises(CustomDomainNotFound):
            await world.call(request, secret_key_of(a.id))
    assert (await world.call(ListCustomDomains(), secret_key_of(a.id))).domains == []
    assert (await world.call(ResolveHost(host=NAME), anyone())).app_id == b.id


async def test_certificates_are_allowed_for_known_names_only(world: World, zone: Zone) -> None:
    """Certificates are allowed for hosts of active applications and proven domains, and for no
    other names. Only the gateway may ask."""
    from tenancy import provisioning

    await provisioning.repair(world.tenancy)
    app = await world.create_application()
    claim = await claimed(world, app, "claimed.example.org")
    await proven(world, zone, app)
    system = context(DASHBOARD, SYSTEM_CALLER)

    allowed = [
        "id.example.com",
        "www.id.example.com",
        "dashboard.id.example.com",
        "api.id.example.com",
        f"{app.slug}.id.example.com",
        NAME,
        NAME.upper() + ".",
    ]
    refused = ["nobody.id.example.com", claim.domain, f"x.{app.slug}.id.example.com", "", "é.com"]
    for name in allowed:
        await world.call(IsDomainAllowed(domain=name), system)
    for name in refused:
        with pytest.raises(UnknownHost):
            await world.call(IsDomainAllowed(domain=name), system)
    with pytest.raises(Forbidden):
        await world.call(IsDomainAllowed(domain=NAME), secret_key_of(app.id))
    await world.call(DeleteApplication(slug=app.slug, confirm=app.slug), await world.operator())
    for name in (NAME, f"{app.slug}.id.example.com"):
        with pytest.raises(UnknownHost):
            await world.call(IsDomainAllowed(domain=name), system)


async def _age(world: World, column: str) -> None:
    await world.owner.execute(f"UPDATE custom_domains SET {column} = now() - interval '4 days'")
