"""Providers of organizations: for which addresses they speak, and whom they bring into the organization."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.kit.callers import ADMIN, as_user
from tests.kit.provider_sign_in import new_provider
from tests.kit.world import World
from tests.service.identity.provider_stand_in import ProviderStandIn, provider_account

from common.context import Caller
from common.contracts.identity_providers import (
    CreateIdentityProvider,
    DeleteIdentityProvider,
    ProviderInUse,
    UpdateIdentityProvider,
)
from common.contracts.users import GetUser
from common.ids import new_id
from common.problems import Forbidden
from identity.provider_mapping import mapped_roles

DOMAIN = "acme.example"
ADA = f"ada@{DOMAIN}"
ISSUER = "https://op.example"


async def _provider(
    world: World, providers: ProviderStandIn, *, domain: str | None = DOMAIN, **columns: Any
) -> str:
    """Adds an organization with a verified domain, and its provider `sso`. Returns its id."""
    org_id = await world.insert_organization(world.app_id)
    if domain is not None:
        await world.owner.execute(
            "INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'member')"
            " ON CONFLICT DO NOTHING",
            world.app_id,
        )
        await world.owner.execute(
            "INSERT INTO organization_domains (app_id, id, org_id, domain, verification_token,"
            " verified_at) VALUES ($1, $2, $3, $4, 't', now())",
            world.app_id,
            new_id(),
            org_id,
            domain,
        )
    await providers.add("sso", org_id=org_id, **columns)
    return org_id


async def test_first_sign_in_joins(world: World, providers: ProviderStandIn) -> None:
    """The first sign-in creates the user, who joins with the mapped role. The organization is active
    in the session. So it is at the next sign-in."""
    rules = [
        {"claim": "groups", "value": "boss", "role_id": "admin"},
        {"claim": "groups", "value": "staff", "role_id": "clerk"},
    ]
    org_id = await _provider(world, providers, role_mapping=json.dumps(rules))
    account = provider_account(email=ADA, claims={"groups": ["staff", "x"]})
    first = await providers.sign_in(account, idp="sso")
    again = await providers.sign_in(account, idp="sso")

    for outcome in (first, again):
        assert outcome.session is not None
        assert outcome.session.full().active_org_id == org_id
        live = await world.live_session(outcome.session.token)
        assert live is not None
        assert live.active_org_id == org_id
    request = world.stand_ins.tenancy.joined_through[0]
    assert (request.org_id, request.email, request.role) == (org_id, ADA, "clerk")
    assert request.mapped_roles == ["admin", "clerk"]
    assert world.stand_ins.rbac.mapped == []


@pytest.mark.parametrize("verified", [True, False])
async def test_foreign_domains_are_refused(
    world: World, providers: ProviderStandIn, verified: bool
) -> None:
    """The organization's provider asserts an address of a domain that the organization has not
    verified: nobody is linked, created or added, even if the address has an account."""
    await _provider(world, providers)
    await world.user("victim@else.example")
    for email in ("victim@else.example", "new@else.example", f"x@sub.{DOMAIN}"):
        account = provider_account(email, email=email, email_verified=verified)
        outcome = await providers.sign_in(account, idp="sso")
        assert (outcome.kind, outcome.failure) == ("failed", "email_refused")

    assert await providers.links() == []
    assert world.stand_ins.tenancy.joined_through == []
    assert {step for step, _ in await providers.failures()} == {"domain"}


async def test_lost_proof_stops_links(world: World, providers: ProviderStandIn) -> None:
    """Once the proof of the domain is missing, nobody new is linked."""
    await _provider(world, providers)
    await world.owner.execute(
        "UPDATE organization_domains SET missing_since = now() WHERE app_id = $1", world.app_id
    )
    outcome = await providers.sign_in(provider_account(email=ADA), idp="sso")

    assert outcome.failure == "email_refused"
    assert await providers.links() == []


async def test_unverified_address_does_not_count(world: World, providers: ProviderStandIn) -> None:
    """A provider may assert an unverified address of the domain. A user who then proves another
    address is neither linked nor added."""
    await _provider(world, providers)
    account = provider_account(email=ADA, email_verified=False)
    outcome = await providers.sign_in(account, idp="sso")
    assert outcome.kind == "address_needed"
    proven = await providers.prove(outcome.link_proof or "", "eve@else.example")

    assert proven.failure == "email_refused"
    assert await providers.links() == []
    assert world.stand_ins.tenancy.joined_through == []


async def test_user_links_the_account_of_their_organization(
    world: World, providers: ProviderStandIn
) -> None:
    """A signed-in user connects an account with an address of the domain, and none of another
    domain."""
    await _provider(world, providers)
    user = await world.user("home@else.example")
    caller = as_user(await world.sign_in(user))
    foreign = provider_account("s-1", email="x@third.example")
    state = (await providers.start_link(caller, idp="sso"))["state"]
    refused = await providers.finish(state, foreign, idp="sso", caller=caller)
    state = (await providers.start_link(caller, idp="sso"))["state"]
    linked = await providers.finish(
        state, provider_account("s-2", email=ADA), idp="sso", caller=caller
    )

    assert (refused.failure, linked.kind) == ("email_refused", "linked")
    assert await providers.links() == [(user.id, "s-2")]


async def test_tenancy_away_is_no_way_in(world: World, providers: ProviderStandIn) -> None:
    """If the user cannot be added now, the session starts without an active organization."""
    await _provider(world, providers)

    async def away(*_: Any) -> Any:
        from common.problems import Unavailable

        raise Unavailable("down")

    from common.contracts.sso_members import JoinThroughProvider

    handlers = world.stand_ins.handlers("tenancy")
    world.bus.serve(None, {JoinThroughProvider: away})
    try:
        outcome = await providers.sign_in(provider_account(email=ADA), idp="sso")
    finally:
        world.bus.serve(None, handlers)
    assert outcome.session is not None
    assert outcome.session.full().active_org_id is None


async def test_application_roles_follow_the_claims(
    world: World, providers: ProviderStandIn
) -> None:
    """A provider of the application sets the roles of its rules at each sign-in: none, if no rule
    holds."""
    rules = [{"claim": "team.name", "value": "ops", "role_id": "operator"}]
    idp_id = await providers.add("roles", role_mapping=json.dumps(rules))
    for claims in ({"team": {"name": "ops"}}, {"team": {"name": "dev"}}):
        await providers.sign_in(provider_account(claims=claims), idp="roles")

    assert [(call.idp_id, call.role_ids) for call in world.stand_ins.rbac.mapped] == [
        (idp_id, ["operator"]),
        (idp_id, []),
    ]


async def test_a_proof_keeps_no_more_claims_than_the_rules_need(
    world: World, providers: ProviderStandIn
) -> None:
    """A provider may send claims that are long, or deeper than our own JSON can be. The proof that waits
    for its user stays small, and the roles follow the claims once it is given."""
    rules = [
        {"claim": "team.name", "value": "ops", "role_id": "operator"},
        {"claim": "groups", "value": "admins", "role_id": "admin"},
        {"claim": "absent", "value": "x", "role_id": "other"},
    ]
    idp_id = await providers.add("roles", role_mapping=json.dumps(rules))
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"deeper": deep}
    claims = {"team": {"name": "ops"}, "groups": ["x" * 100_000, "admins"], "deep": deep}
    outcome = await providers.sign_in(provider_account("r-1", None, claims=claims), idp="roles")
    assert outcome.link_proof is not None
    size = await world.owner.fetchval(
        "SELECT max(length(sealed)) FROM link_proofs WHERE app_id = $1", world.app_id
    )
    assert size < 5000
    await providers.prove(outcome.link_proof, "new@example.com")

    (call,) = world.stand_ins.rbac.mapped
    assert (call.idp_id, call.role_ids) == (idp_id, ["operator", "admin"])


async def test_profile_is_refreshed_if_the_row_says_so(
    world: World, providers: ProviderStandIn
) -> None:
    """With `refresh_profile`, name and locale follow the provider, with one event for each change. The
    address never does. Without it, the user's own profile stays."""
    await providers.add("fresh", options=json.dumps({"refresh_profile": True}))
    for idp, expected in (("acme", "Ada Lovelace"), ("fresh", "Ada King")):
        first = await providers.sign_in(provider_account(idp, email=f"{idp}@x.example"), idp=idp)
        assert first.session
        renamed = provider_account(idp, email=f"new-{idp}@x.example", name="Ada King", locale="fr")
        for _ in range(2):
            await providers.sign_in(renamed, idp=idp)
        user = await world.call(GetUser(user_id=first.session.full().user_id), ADMIN)
        assert (user.name, user.email) == (expected, f"{idp}@x.example")

    updates = [data["fields"] for kind, data in await world.events() if kind == "user_updated"]
    assert updates == [["locale", "name"]]


async def test_organization_needs_both_rights(world: World) -> None:
    """A caller who manages providers but no organizations can neither bind a provider to one, nor
    change or delete a provider that belongs to one."""
    org_id = await world.insert_organization(world.app_id)
    bound = await new_provider(world, name="bound", issuer=ISSUER, org_id=org_id)
    free = await new_provider(world, name="free", issuer=ISSUER)
    keeper = Caller("client", new_id(), frozenset({"idps:write", "idps:delete"}))
    for request in (
        UpdateIdentityProvider(provider=bound.id, changes={"enabled": False}),
        UpdateIdentityProvider(provider=bound.id, changes={"org_id": None}),
        UpdateIdentityProvider(provider=free.id, changes={"org_id": org_id}),
        CreateIdentityProvider(
            name="new", client_secret="s", settings={"org_id": org_id, "client_id": "c",
            "display_name": "N", "issuer": ISSUER},
        ),
        DeleteIdentityProvider(provider=bound.id),
    ):  # fmt: skip
        assert isinstance(await world.refused(request, keeper), Forbidden)
    switched = UpdateIdentityProvider(provider=free.id, changes={"enabled": False})
    assert not (await world.call(switched, keeper)).enabled
    both = Caller("client", new_id(), keeper.permissions | {"organizations:write"})
    switched = UpdateIdentityProvider(provider=bound.id, changes={"enabled": False})
    assert not (await world.call(switched, both)).enabled
    await world.call(DeleteIdentityProvider(provider=bound.id), both)


async def test_linked_provider_keeps_its_organization(
    world: World, providers: ProviderStandIn
) -> None:
    """Users who linked an account under the rules of one owner do not come under those of another."""
    org_id = await _provider(world, providers)
    await providers.sign_in(provider_account(email=ADA), idp="sso")
    for name, target in (("sso", None), ("acme", org_id)):
        if name == "acme":
            await providers.sign_in(provider_account())
        request = UpdateIdentityProvider(
            provider=name, client_secret="s", changes={"org_id": target}
        )
        assert isinstance(await world.refused(request, ADMIN), ProviderInUse)


def test_rules() -> None:
    """A rule holds for a text, number or truth value, and for a list with it. Deep and odd claims are
    harmless."""
    claims = {"a": "x", "n": 7, "t": True, "l": ["p", 3, None], "d": {"e": {"f": "g"}}, "o": {}}

    def held(claim: str, value: str) -> bool:
        return bool(mapped_roles([{"claim": claim, "value": value, "role_id": "r"}], claims))

    assert all(held(*rule) for rule in (("a", "x"), ("n", "7"), ("t", "true"), ("l", "p")))
    assert all(held(*rule) for rule in (("l", "3"), ("d.e.f", "g")))
    assert not any(held(*rule) for rule in (("a", "X"), ("l", "None"), ("o", "{}"), ("gone", "")))
    many = [{"claim": "a", "value": "x", "role_id": f"r{n}"} for n in range(80)]
    assert len(mapped_roles(many, claims)) == 50
