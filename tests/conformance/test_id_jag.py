"""ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant) and RFC 7523 section 2.1 over HTTP: the example of
docs/enterprise-agents.md runs as it is printed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from tests.conformance.conftest import Client, Suite, introspected
from tests.kit.backend_calls import client_of, created, switched_on
from tests.kit.deployments import Ability
from tests.kit.documentation import example, run_example
from tests.kit.identity_provider import OpenIdProvider, running_server
from tests.kit.provider_sign_in import params_of

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FILES = "https://files.example.com"


@dataclass
class Company:
    """A company's identity provider and its agent."""

    suite: Suite
    op: OpenIdProvider
    agent: Client
    provider: dict[str, Any]

    def assertion(self) -> str:
        """Returns what the page prints, signed by the provider."""
        sign, key = example("enterprise-agents.md", "assertion"), self.op.key
        made: str = sign(
            self.suite.issuer,
            self.op.issuer,
            self.agent.client_id,
            self.op.subject,
            key.key,
            key.kid,
        )
        return made

    async def redeem(self, assertion: str) -> dict[str, Any]:
        answer = await self.suite.token(self.agent, grant_type=GRANT, assertion=assertion)
        found: dict[str, Any] = answer.json()
        return found


async def sign_in(suite: Suite, op: OpenIdProvider, name: str) -> None:
    """Signs a new user in with the provider, which connects their account."""
    async with suite.system.http() as http:
        answer = await http.get("/rp/authorize", params={"idp": name})
        url = answer.headers["location"]
        response = {"code": op.authorize(url), "state": params_of(url)["state"]}
        answer = await http.get(f"/rp/callback/{name}", params=response)
        assert answer.is_redirect, answer.text


@pytest_asyncio.fixture
async def company(fresh: Suite) -> AsyncIterator[Company]:
    fresh.system.deployment.require(Ability.CALL_THIS_MACHINE)
    async with running_server() as server, fresh.system.backend() as api:
        op = OpenIdProvider(server, f"{server.base}/corp", userinfo={}).install()
        op.subject, name = secrets.token_hex(8), f"corp{secrets.token_hex(4)}"
        op.userinfo = {"email": f"{op.subject}@example.com", "email_verified": True}
        settings = {"issuer": op.issuer, "client_id": op.client_id, "trusts_email": True}
        new = {"name": name, "display_name": "Corp", "client_secret": op.secret} | settings
        provider = await created(api, "/api/idps", new)
        resource = await created(api, "/api/resources", {"identifier": FILES, "name": "Files"})
        scope = await created(api, "/api/scopes", {"name": "files.read"})
        agent = await client_of(
            api, type="service", scopes=["files.read"], grant_types=["client_credentials", GRANT]
        )
        await created(
            api,
            f"/api/clients/{agent.client_id}/exchange-policies",
            {"provider": name, "resources": [FILES], "scopes": ["files.read"]},
        )
        async with switched_on(api, "jwt_bearer"):
            await sign_in(fresh, op, name)
            yield Company(fresh, op, agent, provider)
        for path in (
            f"clients/{agent.client_id}",
            f"idps/{provider['id']}",
            f"scopes/{scope['id']}",
            f"resources/{resource['id']}",
        ):
            await api.delete(f"/api/{path}")


async def test_the_example_of_the_page(company: Company) -> None:
    """The agent gets a token of the person, for the API of the assertion. Once."""
    assertion = company.assertion()
    agent = (company.agent.client_id, company.agent.client_secret)
    got = await run_example(
        "enterprise-agents.md", "redeem", company.suite.issuer, agent, assertion
    )

    assert got.keys() == {"access_token", "token_type", "expires_in", "scope"}
    told = await introspected(company.suite, got["access_token"], auth=agent)
    assert (told["active"], told["aud"], told["scope"]) == (True, FILES, "files.read")
    assert (await company.redeem(assertion))["error"] == "invalid_grant"


async def test_a_disabled_provider_asserts_nothing(company: Company) -> None:
    """Trap 34, through the whole platform."""
    async with company.suite.system.backend() as api:
        place = f"/api/idps/{company.provider['id']}"
        answer = await api.patch(place, json={"enabled": False})
        assert answer.status_code == 200, answer.text
        assert (await company.redeem(company.assertion()))["error"] == "invalid_grant"


async def test_discovery_has_it_only_where_it_is_on(fresh: Suite) -> None:
    """The grant is listed after the setting is switched on, and not before."""
    url = f"{fresh.issuer}/.well-known/openid-configuration"

    async def listed() -> list[str]:
        grants: list[str] = (await fresh.http.get(url)).json()["grant_types_supported"]
        return grants

    assert GRANT not in await listed()
    async with fresh.system.backend() as api, switched_on(api, "jwt_bearer"):
        assert GRANT in await listed()
    assert GRANT not in await listed()
