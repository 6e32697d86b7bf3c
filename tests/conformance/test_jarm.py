"""JWT Secured Authorization Response Mode (JARM), over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from tests.conformance.conftest import ALIAS, Suite
from tests.conformance.signing_client import SigningClient, signing_client, switched_on
from tests.kit.system import PASSWORD, System


@pytest_asyncio.fixture(scope="module", autouse=True)
async def switches(system: System) -> AsyncIterator[None]:
    async with switched_on(system):
        yield


@pytest_asyncio.fixture
async def client(fresh: Suite) -> AsyncIterator[SigningClient]:
    async with signing_client(fresh, authorization_signed_response_alg="ES256") as client:
        yield client


async def response_of(client: SigningClient, mode: str, **params: str) -> str:
    """Returns the signed answer. Nothing else reaches the client."""
    page = await client.visit(**client.parameters(response_mode=mode, **params))
    if not page.away and any("email" in form.offered for form in page.forms):
        page = await client.suite.browser.submit(page, page.form("email"), email=client.suite.email)
        page = await client.suite.browser.submit(page, page.form("password"), password=PASSWORD)
    posted = next((form for form in page.forms if form.action.startswith(ALIAS)), None)
    if posted is not None:
        assert mode == "form_post.jwt"
        assert set(posted.fields) == {"response"}
        return str(dict(posted.fields)["response"])
    parts = urlsplit(page.url)
    assert bool(parts.fragment) == (mode == "fragment.jwt")
    ((name, value),) = parse_qsl(parts.query or parts.fragment)
    assert name == "response"
    return value


@pytest.mark.long
@pytest.mark.parametrize("mode", ["jwt", "query.jwt", "fragment.jwt", "form_post.jwt"])
async def test_the_answer_is_one_jwt(client: SigningClient, mode: str) -> None:
    """Discovery lists mode and algorithm. The code inside is good."""
    assert mode in client.suite.provider["response_modes_supported"]
    assert "ES256" in client.suite.provider["authorization_signing_alg_values_supported"]
    claims = await client.opened(await response_of(client, mode, state="mine"))
    assert claims["state"] == "mine"
    assert (await client.redeem(claims["code"])).status_code == 200


async def test_a_refusal_is_inside(client: SigningClient) -> None:
    claims = await client.opened(await response_of(client, "jwt", prompt="none"))
    assert claims["error"] == "login_required"
    assert "code" not in claims
