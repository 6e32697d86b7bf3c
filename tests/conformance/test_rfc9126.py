"""RFC 9126, pushed authorization requests, over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.conformance.conftest import CALLBACK, Suite
from tests.conformance.signing_client import (
    PKCE,
    SigningClient,
    signing_client,
    switched_on,
)
from tests.kit.system import System

PREFIX = "urn:ietf:params:oauth:request_uri:"


@pytest_asyncio.fixture(scope="module", autouse=True)
async def switches(system: System) -> AsyncIterator[None]:
    async with switched_on(system):
        yield


@pytest_asyncio.fixture
async def client(fresh: Suite) -> AsyncIterator[SigningClient]:
    async with signing_client(fresh) as client:
        yield client


async def test_a_pushed_request_is_a_sign_in(client: SigningClient) -> None:
    """Section 2.2: 201, not to be stored, a name of 256 bits, and a lifetime. The name leads through the
    sign-in to a code."""
    assert client.suite.provider["pushed_authorization_request_endpoint"].endswith("/oauth2/par")
    answer = await client.push()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.keys() == {"request_uri", "expires_in"}
    assert len(told["request_uri"].removeprefix(PREFIX)) >= 43
    assert 5 <= told["expires_in"] < 600

    result = await client.authorize()
    tokens = await client.redeem(result.code)
    assert tokens.status_code == 200, tokens.text


@pytest.mark.long
async def test_a_spent_name_is_a_page_before_any_sign_in(client: SigningClient) -> None:
    """Another browser is not asked to sign in for nothing."""
    params = client.parameters()
    name = (await client.push(params)).json()["request_uri"]
    await client.suite.finished(await client.visit(request_uri=name), params["state"])
    async with client.suite.system.browser() as other:
        client.suite.browser = other
        page = await client.visit(request_uri=name)
    assert (page.away, page.response.status_code) == (False, 400)
    assert not any("password" in form.offered for form in page.forms)


@pytest.mark.long
async def test_state_of_the_address_is_not_in_the_answer(client: SigningClient) -> None:
    """Section 4: parameters beside the name do not count."""
    name = await client.pushed(state=None)
    page = await client.visit(request_uri=name, state="outside", redirect_uri="https://evil.test")
    assert (await client.suite.finished(page, None)).code


@pytest.mark.long
async def test_a_confidential_client_by_its_secret(fresh: Suite) -> None:
    """By Basic or in the body. A wrong secret has a challenge; a public client needs none."""
    sent = fresh.request(**PKCE)
    auth = (fresh.client.client_id, fresh.client.client_secret)
    assert (await fresh.http.post("/oauth2/par", data=sent, auth=auth)).status_code == 201
    wrong = await fresh.http.post("/oauth2/par", data=sent, auth=(auth[0], "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")
    posting = fresh.clients["client_secret_post"]
    sent |= {"client_id": posting.client_id, "client_secret": posting.client_secret}
    assert (await fresh.http.post("/oauth2/par", data=sent)).status_code == 201


@pytest.mark.long
async def test_a_public_client_by_its_id(fresh: Suite) -> None:
    async with fresh.system.backend() as api:
        new = {"name": "Spa", "type": "spa", "redirect_uris": [CALLBACK]}
        new |= {"allowed_origins": ["https://spa.example"]}
        made = (await api.post("/api/clients", json=new)).json()
        sent = fresh.request(**PKCE, client_id=made["client_id"])
        origin = {"origin": "https://spa.example"}
        answer = await fresh.http.post("/oauth2/par", data=sent, headers=origin)
        assert answer.status_code == 201
        assert answer.headers["access-control-allow-origin"] == "https://spa.example"
        await api.delete(f"/api/clients/{made['id']}")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_refused(fresh: Suite, method: str) -> None:
    """Section 2.3"""
    answer = await fresh.http.request(method, "/oauth2/par")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.long
async def test_a_large_request_is_refused(client: SigningClient) -> None:
    """Section 2.3: 413. A little less is good."""
    for size, status in ((30_000, 201), (33_000, 413)):
        answer = await client.push(client.parameters(state=secrets.token_urlsafe(1) * (size // 2)))
        assert answer.status_code == status, answer.text
    assert answer.json()["error"] == "pushed_request_too_large"


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": CALLBACK + "/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"request_uri": PREFIX + "x"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "openid phone users:write"}, "invalid_scope"),
    ],
)
async def test_errors_are_json(client: SigningClient, changes: dict[str, str], error: str) -> None:
    answer = await client.push(client.parameters(**changes))
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert "request_uri" not in answer.json()


@pytest.mark.long
async def test_another_client_has_nothing_of_the_name(client: SigningClient) -> None:
    name = await client.pushed()
    own, client.client_id = client.client_id, client.suite.client.client_id
    page = await client.visit(request_uri=name)
    client.client_id = own
    assert (page.away, page.response.status_code) == (False, 400)


@pytest.mark.long
async def test_it_is_demanded(fresh: Suite) -> None:
    """Section 6: parameters in the address are refused, and the error goes to the client."""
    async with signing_client(fresh, require_pushed_authorization_requests=True) as client:
        params = client.parameters()
        page = await client.visit(**params)
        result = await fresh.finished(page, params["state"])
        assert result.fields["error"] == "invalid_request"
        assert (await client.authorize()).code
