"""The routes of identity providers: who sees what, and which fields reach the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
    ListPublicProviders,
    ProviderCheck,
    ProviderReport,
    PublicProvider,
    PublicProviders,
    UpdateIdentityProvider,
)
from common.ids import new_id

ORIGIN = "http://demo.localhost:8080"
IDP = new_id()


class Providers:
    """Answers for identity, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def one(self) -> IdentityProvider:
        now = datetime.now(UTC)
        return IdentityProvider(
            id=IDP,
            name="op",
            display_name="OP",
            client_id="c",
            client_secret="********",
            created_at=now,
            updated_at=now,
        )

    async def public(self, _: Any, ctx: Context, request: ListPublicProviders) -> PublicProviders:
        shown = PublicProvider(id=IDP, name="op", type="oidc", display_name="OP")
        return PublicProviders(idps=[shown])

    async def all(self, _: Any, ctx: Context, request: ListIdentityProviders) -> IdentityProviders:
        return IdentityProviders(idps=[self.one()])

    async def change(self, _: Any, ctx: Context, request: Any) -> IdentityProvider:
        self.requests.append(request)
        return self.one()

    async def check(self, _: Any, ctx: Context, request: Any) -> ProviderReport:
        step = ProviderCheck(step="discovery", passed=True, detail="Good.")
        return ProviderReport(passed=True, steps=[step])


@pytest.fixture
def providers(world: FakeServices) -> Providers:
    tenant = world.add("demo")
    world.key(tenant, "sk_live_1")
    world.session(tenant, "plain")
    made = Providers()
    world.bus.serve(
        made,
        {
            ListPublicProviders: made.public,
            ListIdentityProviders: made.all,
            CreateIdentityProvider: made.change,
            UpdateIdentityProvider: made.change,
            CheckIdentityProvider: made.check,
        },
    )
    return made


KEY = {"authorization": "Bearer sk_live_1"}


async def test_a_stranger_sees_the_buttons(http: httpx.AsyncClient, providers: Providers) -> None:
    """Nobody has to sign in to learn how to sign in. A user without `idps:read` sees no more."""
    button = {"id": IDP, "name": "op", "type": "oidc", "display_name": "OP"}
    expected = {"idps": [button], "by_address": False}
    for headers in ({}, {"cookie": "aero2_session=plain"}):
        answer = await http.get(f"{ORIGIN}/api/idps", headers=headers)
        assert (answer.status_code, answer.json()) == (200, expected)


async def test_an_administrator_sees_all_but_secrets(
    http: httpx.AsyncClient, providers: Providers
) -> None:
    """With `idps:read` the list has every setting."""
    answer = await http.get(f"{ORIGIN}/api/idps", headers=KEY)
    (shown,) = answer.json()["idps"]

    assert (shown["client_id"], shown["client_secret"]) == ("c", "********")


async def test_only_sent_fields_reach_the_service(
    http: httpx.AsyncClient, providers: Providers
) -> None:
    """A preset can fill in a field only if nobody sent it."""
    body = {
        "preset": "apple",
        "client_id": "c",
        "client_secret": "s",
        "options": {"team_id": "T"},
    }
    created = await http.post(f"{ORIGIN}/api/idps", json=body, headers=KEY)
    await http.patch(f"{ORIGIN}/api/idps/op", json={"enabled": False}, headers=KEY)
    first, second = providers.requests

    assert created.status_code == 201
    assert (first.name, first.preset, first.client_secret) == (None, "apple", "s")
    assert first.settings == {"client_id": "c", "options": {"team_id": "T"}}
    assert (second.provider, second.changes, second.client_secret) == (
        "op",
        {"enabled": False},
        None,
    )


@pytest.mark.parametrize(
    "body", [{"preset": "myspace"}, {"presett": "apple"}, {"options": {"teamid": "T"}}]
)
async def test_a_misspelt_field_is_refused(
    http: httpx.AsyncClient, providers: Providers, body: dict[str, Any]
) -> None:
    """A field that nobody reads would silently do nothing."""
    answer = await http.post(f"{ORIGIN}/api/idps", json=body, headers=KEY)

    assert answer.status_code == 422
    assert providers.requests == []


async def test_a_test_is_a_post(http: httpx.AsyncClient, providers: Providers) -> None:
    """The report lists the steps."""
    answer = await http.post(f"{ORIGIN}/api/idps/op/test", headers=KEY)

    assert answer.json()["steps"] == [{"step": "discovery", "passed": True, "detail": "Good."}]
