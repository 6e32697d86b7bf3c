"""The Dashboard's identity providers that the operator configures at the start."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from tests.kit.world import World

from common.configured_providers import ConfiguredProvider
from common.context import Context, system_context
from common.contracts.identity_providers import (
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    ListIdentityProviders,
    UpdateIdentityProvider,
)
from common.ids import DASHBOARD
from common.problems import Unavailable
from identity import dashboard_providers
from identity.providers import client_secret
from identity.queries import identity_providers

GITHUB = ConfiguredProvider("github", "Iv1.0123", SecretStr("first secret"))


def of_dashboard() -> Context:
    return system_context(DASHBOARD, within=60)


@pytest.fixture
async def dashboard(world: World) -> World:
    """The Dashboard has no providers."""
    for provider in (await world.call(ListIdentityProviders(), of_dashboard())).idps:
        await world.call(DeleteIdentityProvider(provider=provider.id), of_dashboard())
    return world


async def provider(world: World, name: str = "github") -> IdentityProvider:
    return await world.call(GetIdentityProvider(provider=name), of_dashboard())


async def secret(world: World) -> str:
    """Returns the secret that a token call would send."""
    deps = world.identity
    async with deps.db.reader(of_dashboard()) as db:
        row = await identity_providers.find(db, app_id=DASHBOARD, provider="github")
    assert row is not None
    return (await client_secret.client_credentials(deps, of_dashboard(), row)).secret


async def events(world: World) -> list[str]:
    """Returns the types of the Dashboard's events about providers, in order."""
    return await world.event_types("idp_created", "idp_updated", app_id=DASHBOARD)


async def test_a_configured_provider_is_created_with_its_preset(dashboard: World) -> None:
    """A start creates it. GitHub verifies addresses, so its word about them counts."""
    await dashboard_providers.ensure(dashboard.identity, GITHUB)
    created = await provider(dashboard)

    assert (created.name, created.preset, created.client_id) == ("github", "github", "Iv1.0123")
    assert (created.trusts_email, created.enabled) == (True, True)
    assert await secret(dashboard) == "first secret"


@pytest.mark.parametrize(("preset", "trusts"), [("google", True), ("slack", False), ("x", True)])
async def test_addresses_are_trusted_if_the_preset_verifies_them(
    dashboard: World, preset: Any, trusts: bool
) -> None:
    """An address becomes operator by AERO2_BOOTSTRAP_ADMIN_EMAIL only if its provider verified it."""
    configured = replace(GITHUB, preset=preset)
    await dashboard_providers.ensure(dashboard.identity, configured)

    assert (await provider(dashboard, preset)).trusts_email is trusts


async def test_another_start_changes_nothing(dashboard: World) -> None:
    """The same configuration writes neither a row nor an event, and what an operator changed with the
    API stays."""
    await dashboard_providers.ensure(dashboard.identity, GITHUB)
    changes = {"display_name": "Our GitHub", "enabled": False, "trusts_email": False}
    await dashboard.call(UpdateIdentityProvider(provider="github", changes=changes), of_dashboard())
    before, sent = await provider(dashboard), await events(dashboard)
    await dashboard_providers.ensure(dashboard.identity, GITHUB)

    assert await provider(dashboard) == before
    assert await events(dashboard) == sent


async def test_another_client_and_another_secret_are_taken_over(dashboard: World) -> None:
    """A start after a change of the configuration or of the file stores the new client."""
    await dashboard_providers.ensure(dashboard.identity, GITHUB)
    await dashboard_providers.ensure(
        dashboard.identity, replace(GITHUB, secret=SecretStr("second secret"))
    )
    assert await secret(dashboard) == "second secret"
    await dashboard_providers.ensure(dashboard.identity, replace(GITHUB, client_id="Iv1.9999"))

    assert (await provider(dashboard)).client_id == "Iv1.9999"
    assert await secret(dashboard) == "first secret"


async def test_the_secret_goes_to_no_other_server(dashboard: World) -> None:
    """A row that somebody pointed to another server does not get the configured secret."""
    await dashboard_providers.ensure(dashboard.identity, GITHUB)
    moved = {"token_endpoint": "https://evil.example/token"}
    await dashboard.call(
        UpdateIdentityProvider(provider="github", client_secret="theirs", changes=moved),
        of_dashboard(),
    )
    await dashboard_providers.ensure(dashboard.identity, GITHUB)

    assert await secret(dashboard) == "theirs"


async def test_replicas_start_at_once(dashboard: World) -> None:
    """Several replicas create one provider, and none fails."""
    await asyncio.gather(
        *(dashboard_providers.ensure(dashboard.identity, GITHUB) for _ in range(5))
    )

    assert [
        one.name for one in (await dashboard.call(ListIdentityProviders(), of_dashboard())).idps
    ] == ["github"]


async def test_a_start_waits_for_other_services(
    dashboard: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While tenancy is away, the service tries again. One provider that fails delays no other."""
    tries: list[str] = []

    async def failing(deps: Any, configured: ConfiguredProvider) -> None:
        tries.append(configured.preset)
        if configured.preset == "github" and len(tries) < 4:
            raise Unavailable

    monkeypatch.setattr(dashboard_providers, "ensure", failing)
    both = (GITHUB, replace(GITHUB, preset="google"))
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await dashboard_providers.ensure_and_wait(dashboard.identity, both, pause=0.01)

    assert tries == ["github", "google", "github", "github"]
