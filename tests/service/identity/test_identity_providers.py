"""Administrators manage the identity providers of their application."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.callers import ADMIN
from tests.kit.identity_provider import OpenIdProvider, ProviderServer
from tests.kit.provider_sign_in import new_provider, sign_in_at
from tests.kit.world import World

from common.context import Caller
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    ListIdentityProviders,
    ListPublicProviders,
    ProviderInUse,
    ProviderNameTaken,
    ProviderNotFound,
    ProviderReport,
    TooManyProviders,
    UpdateIdentityProvider,
)
from common.contracts.roles import NotHeld
from common.contracts.sessions import FreshSignInNeeded
from common.ids import new_id
from common.problems import Forbidden, Invalid, RateLimited
from common.testing import context
from identity import identity_providers, limits, provider_check
from identity.providers import documents

ISSUER = "https://op.example"


async def update(
    world: World, provider: IdentityProvider, *, secret: str | None = None, **changes: Any
) -> IdentityProvider:
    request = UpdateIdentityProvider(provider=provider.id, client_secret=secret, changes=changes)
    return await world.call(request, ADMIN)


async def link(world: World, provider: IdentityProvider) -> None:
    """Inserts a link of a user to an account at the provider."""
    await world.owner.execute(
        "INSERT INTO user_identity_links (app_id, id, user_id, idp_id, iss, idp_user_id)"
        " VALUES ($1, $2, $3, $4, $5, '1')",
        world.app_id,
        new_id(),
        await world.insert_user(),
        provider.id,
        provider.issuer or "",
    )


async def events(world: World) -> list[tuple[str, dict[str, Any]]]:
    rows = await world.owner.fetch(
        "SELECT event_type, event_data::text AS data FROM audit_logs"
        " WHERE app_id = $1 AND event_type LIKE 'idp_%' ORDER BY id",
        world.app_id,
    )
    return [(row["event_type"], json.loads(row["data"])) for row in rows]


def fields_of(error: Invalid) -> set[str]:
    return {entry["field"] for entry in error.extra["errors"]}


async def test_a_sign_in_page_sees_four_fields_of_open_providers(world: World) -> None:
    """Providers that are disabled, or belong to an organization, are not shown to strangers. They read
    only whether an address may lead to one of an organization."""
    org = await world.insert_organization(world.app_id)
    await new_provider(world, name="second", issuer=ISSUER, position=2)
    first = await new_provider(world, name="first", issuer=ISSUER, position=1)
    await new_provider(world, name="disabled", issuer=ISSUER, enabled=False)
    of_acme = await new_provider(world, name="of-acme", issuer=ISSUER, org_id=org)
    shown = await world.call(ListPublicProviders())
    await update(world, of_acme, enabled=False)
    assert (shown.by_address, (await world.call(ListPublicProviders())).by_address) == (True, False)
    everything = await world.call(ListIdentityProviders(), ADMIN)

    assert [idp.name for idp in shown.idps] == ["first", "second"]
    assert shown.idps[0].model_dump() == {
        "id": first.id,
        "name": "first",
        "type": "oidc",
        "display_name": "A provider",
    }
    assert len(everything.idps) == 4


async def test_a_secret_is_never_shown(world: World) -> None:
    """It is sealed in the database, and in no reply and no event."""
    provider = await new_provider(world, issuer=ISSUER, secret="very-secret-text")
    replies = [
        provider,
        await world.call(GetIdentityProvider(provider=provider.name), ADMIN),
        await world.call(ListIdentityProviders(), ADMIN),
        await update(world, provider, secret="other-secret-text"),
    ]
    stored = await world.owner.fetchval(
        "SELECT client_secret_sealed FROM identity_providers WHERE app_id = $1", world.app_id
    )
    logged = await events(world)

    for text in (*(reply.model_dump_json() for reply in replies), stored, json.dumps(logged)):
        assert "secret-text" not in text
    assert provider.client_secret == "********"


async def test_stars_keep_the_secret(world: World, server: ProviderServer) -> None:
    """The text that stands for the secret is not a new one."""
    op = OpenIdProvider(server, ISSUER).install()
    provider = await new_provider(world, issuer=ISSUER)
    await update(world, provider, secret="********", display_name="Renamed")
    sign_in = await sign_in_at(world, provider)

    assert (await sign_in.account(op.authorize(await sign_in.url()))).subject == "user-1"


async def test_links_fix_what_identifies_users(world: World) -> None:
    """Issuer, type and subject claim stay once a user has a link. A new client id warns."""
    provider = await new_provider(world, issuer=ISSUER)
    await link(world, provider)
    for change in (
        {"issuer": "https://other.example"},
        {"claim_mapping": {"subject": ["email"]}},
        {
            "type": "oauth2",
            "claim_mapping": {"subject": ["id"]},
            "authorization_endpoint": "https://op.example/a",
            "token_endpoint": "https://op.example/t",
            "userinfo_endpoint": "https://op.example/u",
        },
    ):
        with pytest.raises(ProviderInUse):
            await update(world, provider, secret="s", **change)
    quiet = await update(world, provider, claim_mapping={"username": ["nickname"]})
    warned = await update(world, provider, client_id="another-client")

    assert quiet.warnings == []
    assert "other user ids" in warned.warnings[0]


async def test_without_links_everything_can_change(world: World) -> None:
    """Another issuer is possible while nobody is known by the old one, and warns of nothing."""
    provider = await new_provider(world, issuer=ISSUER)
    changed = await update(
        world, provider, secret="s", issuer="https://other.example", client_id="c"
    )

    assert (changed.issuer, changed.warnings) == ("https://other.example", [])


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"jwks_uri": "https://evil.example/keys"},
        {"auth_method": "client_secret_post"},
        {"options": {"discovery_url": "https://evil.example/d"}},
    ],
)
async def test_a_stored_secret_goes_to_no_other_server(
    world: World, change: dict[str, Any]
) -> None:
    """Nobody can send a secret that they may not see to a server of theirs."""
    provider = await new_provider(world, issuer=ISSUER)
    with pytest.raises(Invalid) as caught:
        await update(world, provider, **change)

    assert caught.value.extra["errors"][0]["code"] == "secret_required_again"
    assert await update(world, provider, secret="new", **change)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"issuer": None}, "issuer"),
        ({"issuer": "http://op.example"}, "issuer"),
        ({"issuer": "https://op.example/?x=1"}, "issuer"),
        ({"issuer": ISSUER, "token_endpoint": "http://op.example"}, "token_endpoint"),
        ({"issuer": ISSUER, "algorithms": ["HS256"]}, "algorithms.0"),
        ({"issuer": ISSUER, "algorithms": ["none"]}, "algorithms.0"),
        ({"issuer": ISSUER, "algorithms": []}, "algorithms"),
        ({"issuer": ISSUER, "claim_mapping": {"role": ["x"]}}, "claim_mapping.role.[key]"),
        ({"issuer": ISSUER, "claim_mapping": {"name": ["x"] * 9}}, "claim_mapping.name"),
        ({"issuer": ISSUER, "org_id": new_id()}, "org_id"),
        ({"issuer": ISSUER, "auth_method": "signed_secret"}, "client_secret"),
        (
            {"issuer": ISSUER, "options": {"version_header": "Authorization"}},
            "options.version_header",
        ),
        (
            {"issuer": ISSUER, "options": {"discovery_url": "https://{tenant}.example/d"}},
            "options.discovery_url",
        ),
        ({"type": "oauth2"}, "claim_mapping.subject"),
        ({"type": "oauth2"}, "token_endpoint"),
    ],
)
async def test_a_provider_that_cannot_work_is_refused(
    world: World, server: ProviderServer, settings: dict[str, Any], field: str
) -> None:
    """The error names the field."""
    with pytest.raises(Invalid) as caught:
        await new_provider(world, **settings)

    assert field in fields_of(caught.value)


async def test_a_provider_needs_a_secret(world: World) -> None:
    """Only a public client has none, and the stars are no secret."""
    for secret in ("", "********"):
        with pytest.raises(Invalid):
            await new_provider(world, issuer=ISSUER, secret=secret)

    assert (await new_provider(world, issuer=ISSUER, secret="", auth_method="none")).enabled


async def test_names_are_unique(world: World) -> None:
    """A provider is found by its name or id, in its own application only."""
    provider = await new_provider(world, name="acme", issuer=ISSUER)
    with pytest.raises(ProviderNameTaken):
        await new_provider(world, name="acme", issuer=ISSUER)
    for key in ("acme", provider.id):
        assert (await world.call(GetIdentityProvider(provider=key), ADMIN)).id == provider.id
        with pytest.raises(ProviderNotFound):
            await world.call(GetIdentityProvider(provider=key), ADMIN, world.other_app_id)


async def test_the_number_of_providers_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application has at most so many providers."""
    monkeypatch.setattr(identity_providers, "MAX_PROVIDERS", 1)
    await new_provider(world, issuer=ISSUER)
    with pytest.raises(TooManyProviders):
        await new_provider(world, issuer=ISSUER)


async def test_changes_are_logged_by_field(world: World) -> None:
    """An event names the fields that changed. A change of nothing is no event."""
    provider = await new_provider(world, name="acme", issuer=ISSUER)
    await update(world, provider, display_name="Acme", secret="new")
    await update(world, provider, display_name="Acme")
    await link(world, provider)
    await world.call(DeleteIdentityProvider(provider="acme"), ADMIN)
    created, updated, deleted = await events(world)

    assert created[1]["name"] == "acme"
    assert updated == (
        "idp_updated",
        {"idp_id": provider.id, "name": "acme", "fields": ["client_secret", "display_name"]},
    )
    assert deleted == ("idp_deleted", {"idp_id": provider.id, "name": "acme", "links": 1})
    assert (
        await world.owner.fetchval(
            "SELECT count(*) FROM user_identity_links WHERE app_id = $1", world.app_id
        )
        == 0
    )


async def test_options_are_merged(world: World) -> None:
    """An option that is not sent stays as it is."""
    provider = await new_provider(world, preset="google")
    changed = await update(world, provider, options={"hosted_domain": "company.example"})

    assert changed.options.hosted_domain == "company.example"
    assert changed.options.issuer_aliases == ["accounts.google.com"]


async def test_only_the_mightiest_decide_whose_word_counts(world: World) -> None:
    """With `idps:write` alone, only the name, the position and the switch can be changed: somebody who
    chooses a provider can sign in as any user."""
    provider = await new_provider(world, issuer=ISSUER)
    clerk = Caller(
        "user", await world.insert_user(), frozenset({"idps:write"}), proven_at=int(time.time())
    )
    for secret, changes in (
        (None, {"trusts_email": True}),
        (None, {"issuer": "https://evil.example"}),
        ("new", {}),
    ):
        request = UpdateIdentityProvider(
            provider=provider.id, client_secret=secret, changes=changes
        )
        with pytest.raises(NotHeld):
            await world.call(request, clerk)
    harmless = {"display_name": "New", "position": 3, "enabled": False}
    changed = await world.call(
        UpdateIdentityProvider(provider=provider.id, changes=harmless), clerk
    )

    assert (changed.display_name, changed.enabled) == ("New", False)
    with pytest.raises(FreshSignInNeeded):
        await world.call(request, replace(clerk, proven_at=None))
    with pytest.raises(Forbidden):
        await world.call(ListIdentityProviders(), clerk)


async def report(world: World, provider: IdentityProvider) -> ProviderReport:
    return await world.call(CheckIdentityProvider(provider=provider.id), ADMIN)


def outcome(tested: ProviderReport) -> list[tuple[str, bool]]:
    return [(step.step, step.passed) for step in tested.steps]


async def test_a_test_reports_each_step(world: World, server: ProviderServer) -> None:
    """The report ends at the first step that fails, and says why in words."""
    op = OpenIdProvider(server, ISSUER).install()
    provider = await new_provider(world, issuer=ISSUER)
    good = await report(world, provider)
    op.secret = "rotated"
    secret = await report(world, provider)
    server.routes["/op.example/jwks"] = lambda _: (500, {})
    no_keys = await report(world, provider)
    op.metadata = {"issuer": "https://other.example"}
    wrong = await report(world, provider)

    assert good.passed
    assert outcome(good) == [("discovery", True), ("keys", True), ("token", True)]
    assert outcome(secret)[2] == ("token", False)
    assert "client secret is not accepted" in secret.steps[2].detail
    assert outcome(no_keys) == [("discovery", True), ("keys", False)]
    assert outcome(wrong) == [("discovery", False)]
    assert "another issuer" in wrong.steps[0].detail


async def test_a_test_of_github(world: World, server: ProviderServer) -> None:
    """A provider without OpenID has two steps. Its own codes of errors are understood."""
    provider = await new_provider(world, preset="github")
    path = "/github.com/login/oauth/access_token"
    server.routes[path] = lambda _: {"error": "bad_verification_code"}
    good = await report(world, provider)
    server.routes[path] = lambda _: {"error": "incorrect_client_credentials"}
    bad = await report(world, provider)
    server.routes[path] = lambda _: {"access_token": "for-anybody"}
    odd = await report(world, provider)

    assert outcome(good) == [("discovery", True), ("token", True)]
    assert (bad.passed, odd.passed) == (False, False)


async def allowed(world: World, call: CheckIdentityProvider, clerk: Caller) -> bool:
    """Tests a provider. Returns whether the limits allowed it."""
    try:
        await world.call(call, clerk)
    except RateLimited:
        return False
    return True


async def test_tests_are_limited(world: World, server: ProviderServer) -> None:
    """A provider cannot be called through us as often as somebody likes. One person uses up their own tests,
    and all of them together those of the application."""
    OpenIdProvider(server, ISSUER).install()
    provider = await new_provider(world, issuer=ISSUER)
    call = CheckIdentityProvider(provider=provider.id)
    for _ in range(limits.PROVIDER_CHECK_BY_CALLER.most):
        await world.call(call, ADMIN)
    with pytest.raises(RateLimited):
        await world.call(call, ADMIN)
    await world.call(call, replace(ADMIN, id=new_id()))
    clerks = [replace(ADMIN, id=new_id()) for _ in range(limits.PROVIDER_CHECK_BY_APP.most)]
    outcomes = [await allowed(world, call, clerk) for clerk in clerks]

    assert outcomes[0]
    assert not outcomes[-1]


def rules(*role_ids: str) -> list[dict[str, str]]:
    return [{"claim": "groups", "value": id, "role_id": id} for id in role_ids]


def unknown_roles(problem: Exception) -> list[tuple[str, str]]:
    """Returns the fields of the errors, and the roles that they name."""
    assert isinstance(problem, Invalid)
    errors = problem.extra["errors"]
    assert {error["code"] for error in errors} == {"role_unknown"}
    return [(error["field"], error["params"]["role"]) for error in errors]


async def test_rules_name_roles_that_exist(world: World) -> None:
    """An unknown role is refused by name, at creation and at a change. Nothing is written then."""
    missing = world.stand_ins.rbac.unknown_roles
    missing.add(("application", "ghost"))
    settings = {"display_name": "One", "issuer": ISSUER, "client_id": "c"}
    create = CreateIdentityProvider(
        name="one", client_secret="s", settings=settings | {"role_mapping": rules("staff", "ghost")}
    )
    named = [("role_mapping.1.role_id", "ghost")]
    assert unknown_roles(await world.refused(create, ADMIN)) == named
    assert (await world.call(ListIdentityProviders(), ADMIN)).idps == []

    provider = await new_provider(world, issuer=ISSUER, role_mapping=rules("staff"))
    change = UpdateIdentityProvider(
        provider=provider.id, changes={"role_mapping": rules("ghost", "staff", "ghost")}
    )
    assert unknown_roles(await world.refused(change, ADMIN)) == [
        ("role_mapping.0.role_id", "ghost"),
        ("role_mapping.2.role_id", "ghost"),
    ]
    row = await world.call(GetIdentityProvider(provider=provider.id), ADMIN)
    assert [rule.role_id for rule in row.role_mapping] == ["staff"]


async def test_an_organizations_provider_names_roles_of_organizations(world: World) -> None:
    """The kind of the roles follows `org_id`, also if only that changes."""
    world.stand_ins.rbac.unknown_roles.add(("organization", "staff"))
    org_id = await world.insert_organization(world.app_id)
    provider = await new_provider(world, issuer=ISSUER, role_mapping=rules("staff"))
    moved = UpdateIdentityProvider(provider=provider.id, changes={"org_id": org_id})
    named = [("role_mapping.0.role_id", "staff")]
    assert unknown_roles(await world.refused(moved, ADMIN)) == named

    world.stand_ins.rbac.unknown_roles.clear()
    world.stand_ins.rbac.unknown_roles.add(("application", "staff"))
    assert (await update(world, provider, org_id=org_id)).org_id == org_id


async def test_a_role_that_is_deleted_later_is_harmless(world: World) -> None:
    """The provider can still be changed, and the same rules can be sent again."""
    provider = await new_provider(world, issuer=ISSUER, role_mapping=rules("staff"))
    world.stand_ins.rbac.unknown_roles.add(("application", "staff"))
    assert (await update(world, provider, display_name="Two")).display_name == "Two"
    assert (await update(world, provider, role_mapping=rules("staff"))).role_mapping
    assert not (await update(world, provider, role_mapping=[])).role_mapping


async def test_a_slow_provider_fails_its_step_in_time(
    world: World, server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The administrator learns which step failed before their deadline, not only that time is up."""
    OpenIdProvider(server, ISSUER).install()
    provider = await new_provider(world, issuer=ISSUER)

    async def slow(*_: Any) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(documents, "fetch", slow)
    ctx = replace(context(world.app_id, ADMIN), deadline=time.monotonic() + 1.5)
    tested = await provider_check.check(
        world.identity, ctx, CheckIdentityProvider(provider=provider.id)
    )

    assert outcome(tested) == [("discovery", False)]
    assert tested.steps[0].detail == provider_check.SLOW
    assert ctx.remaining() > 0
