"""RFC 8693, token exchange, over HTTP: the example of docs/token-exchange.md runs as it is printed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from tests.conformance.conftest import CALLBACK, Client, Suite, introspected
from tests.kit.backend_calls import client_of, created, switched_on
from tests.kit.documentation import run_example

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
NOTES, FILES = "https://notes.example.com", "https://files.example.com"
SCOPES = ["notes.read", "files.read"]


@dataclass
class Apis:
    """The app of the page, and the clients of its two APIs."""

    suite: Suite
    app: Client
    notes: Client
    files: Client

    async def user_tokens(self) -> dict[str, Any]:
        return await self.suite.tokens(
            self.app, resource=NOTES, scope=" ".join(["openid", *SCOPES])
        )


@pytest_asyncio.fixture
async def apis(fresh: Suite) -> AsyncIterator[Apis]:
    async with fresh.system.backend() as api, switched_on(api, "token_exchange"):
        ids = [
            (await created(api, "/api/resources", {"identifier": uri, "name": "API"}))["id"]
            for uri in (NOTES, FILES)
        ]
        scopes = [(await created(api, "/api/scopes", {"name": name}))["id"] for name in SCOPES]
        app = await client_of(
            api,
            redirect_uris=[CALLBACK],
            require_pkce=False,
            scopes=["openid", *SCOPES],
            id_token_claims="asked",
        )
        service = {
            "type": "service",
            "scopes": SCOPES,
            "grant_types": ["client_credentials", GRANT],
        }
        notes = await client_of(api, default_resources=[NOTES], **service)
        files = await client_of(api, default_resources=[FILES], **service)
        await created(
            api,
            f"/api/clients/{notes.client_id}/exchange-policies",
            {"subject_client": app.client_id, "resources": [FILES], "scopes": ["files.read"]},
        )
        yield Apis(fresh, app, notes, files)
        for client in (app, notes, files):
            await api.delete(f"/api/clients/{client.client_id}")
        for path in (*(f"scopes/{id}" for id in scopes), *(f"resources/{id}" for id in ids)):
            await api.delete(f"/api/{path}")


async def test_the_example_of_the_page(apis: Apis) -> None:
    """What it prints is what comes back. The new token is about the user, and names who acts."""
    suite, tokens = apis.suite, await apis.user_tokens()
    notes = (apis.notes.client_id, apis.notes.client_secret)
    got = await run_example(
        "token-exchange.md", "exchange", suite.issuer, notes, tokens["access_token"]
    )

    assert got.keys() == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (got["issued_token_type"], got["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert got["expires_in"] <= tokens["expires_in"]
    for client in (apis.notes, apis.files):
        told = await introspected(
            suite, got["access_token"], auth=(client.client_id, client.client_secret)
        )
        assert (told["active"], told["sub"], told["aud"]) == (True, suite.user_id, FILES)
        assert told["act"] == {"sub": apis.notes.client_id}
        assert told["scope"] == "files.read"
    # Trap 33: the app is outside of its audience.
    app = (apis.app.client_id, apis.app.client_secret)
    assert await introspected(suite, got["access_token"], auth=app) == {"active": False}
    assert (await suite.userinfo(got["access_token"])).status_code == 401


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"subject_token": ""}, "invalid_request"),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
    ({"resource": NOTES}, "invalid_target"),
    ({"audience": "https://unknown.example.com"}, "invalid_target"),
    ({"scope": "notes.read"}, "invalid_scope"),
]


async def test_errors_are_those_of_the_rfc(apis: Apis) -> None:
    """Section 2.2.2: 400 with a JSON object, and nothing cached."""
    tokens = await apis.user_tokens()
    sent = {
        "grant_type": GRANT,
        "subject_token": tokens["access_token"],
        "subject_token_type": ACCESS_TOKEN,
        "resource": FILES,
    }
    for changes, error in REFUSED:
        answer = await apis.suite.token(apis.notes, **{**sent, **changes})
        assert (answer.status_code, answer.json()["error"]) == (400, error), changes


async def test_the_token_ends_with_what_it_was_exchanged_for(apis: Apis) -> None:
    """The app revokes its token (RFC 7009): nobody is told anything of the new one any more."""
    suite, tokens = apis.suite, await apis.user_tokens()
    sent = {
        "grant_type": GRANT,
        "subject_token": tokens["access_token"],
        "subject_token_type": ACCESS_TOKEN,
    }
    got = (await suite.token(apis.notes, **sent)).json()
    notes = (apis.notes.client_id, apis.notes.client_secret)
    assert (await introspected(suite, got["access_token"], auth=notes))["active"] is True
    ended = await suite.http.post(
        suite.provider["revocation_endpoint"],
        data={"token": tokens["access_token"]},
        auth=(apis.app.client_id, apis.app.client_secret),
    )
    assert ended.status_code == 200
    assert await introspected(suite, got["access_token"], auth=notes) == {"active": False}
    assert (await suite.token(apis.notes, **sent)).json()["error"] == "invalid_request"


async def test_discovery_has_it_only_where_it_is_on(fresh: Suite) -> None:
    """The grant is listed after the setting is switched on, and not before."""
    url = f"{fresh.issuer}/.well-known/openid-configuration"

    async def listed() -> list[str]:
        grants: list[str] = (await fresh.http.get(url)).json()["grant_types_supported"]
        return grants

    assert GRANT not in await listed()
    async with fresh.system.backend() as api, switched_on(api, "token_exchange"):
        assert GRANT in await listed()
    assert GRANT not in await listed()
