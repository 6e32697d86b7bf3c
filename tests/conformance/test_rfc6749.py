"""RFC 6749, OAuth 2.0: the token endpoint's errors and client authentication."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.conformance.conftest import Suite, basic


@pytest.mark.parametrize("given", [{}, {"client_id": "x", "client_secret": "wrong"}])
@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
async def test_each_401_has_a_challenge(fresh: Suite, path: str, given: dict[str, str]) -> None:
    """So it is without credentials, and with credentials in the body (RFC 9110 section 15.5.2)."""
    form = {"grant_type": "client_credentials", "token": "x", **given}
    answer = await fresh.http.post(f"/oauth2/{path}", data=form)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == 'Basic realm="token"'


async def test_a_wrong_secret_is_401_with_a_challenge(fresh: Suite) -> None:
    """The answer is JSON with no-store, and has WWW-Authenticate after Basic."""
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"],
        data={"grant_type": "authorization_code", "code": "x"},
        auth=(fresh.client.client_id, "wrong"),
    )

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].lower().startswith("basic")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"error", "error_description"}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x" * 5000}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "rt_x"}, "invalid_grant"),
        ({"grant_type": ["authorization_code", "refresh_token"]}, "invalid_request"),
    ],
)
async def test_errors(fresh: Suite, data: dict[str, Any], error: str) -> None:
    """Each mistake is 400 with its code (section 5.2)."""
    answer = await fresh.http.post(
        fresh.provider["token_endpoint"], data=data, **basic(fresh.client)
    )

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_basic_credentials_are_form_encoded(fresh: Suite) -> None:
    """A percent-encoded client_id or secret equals the plain one."""

    def encoded(text: str) -> str:
        return "".join(f"%{ord(character):02X}" for character in text)

    for user, password in (
        (encoded(fresh.client.client_id), encoded(fresh.client.client_secret)),
        (fresh.client.client_id, fresh.client.client_secret),
    ):
        shown = base64.b64encode(f"{user}:{password}".encode()).decode()
        answer = await fresh.http.post(
            fresh.provider["token_endpoint"],
            data={"grant_type": "refresh_token", "refresh_token": "rt_x"},
            headers={"authorization": f"Basic {shown}"},
        )
        assert answer.json()["error"] == "invalid_grant", "the client was known"
