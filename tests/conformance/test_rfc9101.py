"""RFC 9101, signed authorization requests, and the modules of the dynamic plan about request objects.

Of oidcc-dynamic-certification-test-plan, oidcc-request-uri-unsigned and oidcc-request-uri-signed-rs256 are
by reference, which we never fetch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from tests.conformance.conftest import CALLBACK, Suite
from tests.conformance.signing_client import SigningClient, signing_client, switched_on
from tests.kit.client_keys import ClientKey
from tests.kit.system import System


@pytest_asyncio.fixture(scope="module", autouse=True)
async def switches(system: System) -> AsyncIterator[None]:
    async with switched_on(system):
        yield


@pytest_asyncio.fixture
async def client(fresh: Suite) -> AsyncIterator[SigningClient]:
    async with signing_client(fresh) as client:
        yield client


async def test_a_signed_request_is_a_sign_in(client: SigningClient) -> None:
    """The object and client_id are enough. Discovery lists the algorithms, and `none` is not among them."""
    provider = client.suite.provider
    assert provider["request_parameter_supported"] is True
    assert provider["request_uri_parameter_supported"] is False
    assert "none" not in provider["request_object_signing_alg_values_supported"]
    page = await client.visit(request=client.request_object(state="inside"))
    result = await client.suite.finished(page, "inside")
    assert (await client.redeem(result.code)).status_code == 200


@pytest.mark.long
async def test_oidcc_ensure_request_object_with_redirect_uri(client: SigningClient) -> None:
    """The address inside is used, and the one outside, which is not registered, is not."""
    signed = client.request_object(state="inside")
    page = await client.visit(request=signed, redirect_uri=CALLBACK + "/invalid")
    assert (await client.suite.finished(page, "inside")).location.startswith(CALLBACK + "?")


@pytest.mark.long
async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    client: SigningClient,
) -> None:
    """It is refused, on a page."""
    claims = client.parameters() | {"iss": client.client_id, "aud": client.issuer}
    page = await client.visit(request=jwt.encode(claims, "", "none"), redirect_uri=CALLBACK)
    assert (page.away, page.response.status_code) == (False, 400)
    assert "invalid_request_object" in page.text


@pytest.mark.long
async def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(client: SigningClient) -> None:
    """The issuer is the audience of the assertion."""
    result = await client.authorize()
    answer = await client.redeem(result.code, **client.assertion(aud=client.issuer))
    assert answer.status_code == 200, answer.text


@pytest.mark.long
async def test_a_forged_mode_is_not_used(client: SigningClient) -> None:
    """`response_mode=jwt` in an object with another key: a page, and no redirect."""
    forged = ClientKey().request_object(client.parameters(response_mode="jwt"), client.issuer)
    page = await client.visit(request=forged, redirect_uri=CALLBACK)
    assert (page.away, page.response.status_code) == (False, 400)


@pytest.mark.long
@pytest.mark.parametrize("how", ["visit", "push"])
async def test_an_address_is_not_called(client: SigningClient, how: str) -> None:
    """`request_uri` by reference (CVE-2020-10770)"""
    params: dict[str, Any] = client.parameters(request_uri="http://169.254.169.254/latest")
    if how == "push":
        assert (await client.push(params)).json()["error"] == "invalid_request"
        return
    result = await client.suite.finished(await client.visit(**params), params["state"])
    assert result.fields["error"] == "request_uri_not_supported"


@pytest.mark.long
async def test_a_signed_request_is_pushed(client: SigningClient) -> None:
    """RFC 9126 section 3: what is signed counts, and one object is pushed once."""
    signed = client.request_object(state="inside", jti="one")
    sent = {"client_id": client.client_id, "state": "outside", "request": signed}
    name = (await client.push(sent)).json()["request_uri"]
    page = await client.visit(request_uri=name)
    assert (await client.suite.finished(page, "inside")).code
    again = await client.push(sent)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request_object")


@pytest.mark.long
async def test_signatures_are_demanded(fresh: Suite) -> None:
    """Section 10.5"""
    async with signing_client(fresh, require_signed_request_object=True) as client:
        plain = await client.push()
        assert (plain.status_code, plain.json()["error"]) == (400, "invalid_request")
        page = await client.visit(request=client.request_object(state="inside"))
        assert (await fresh.finished(page, "inside")).code
