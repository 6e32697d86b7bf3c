"""OAuth over HTTP, by RFC: what machines see of errors, headers, revocation and introspection."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from tests.conformance.conftest import CALLBACK, Suite, challenge


@pytest.fixture
def rfc(fresh: Suite) -> Suite:
    return fresh


def asked(suite: Suite) -> dict[str, Any]:
    return {"auth": (suite.client.client_id, suite.client.client_secret)}


async def introspected(suite: Suite, token: str, **more: Any) -> dict[str, Any]:
    answer = await suite.http.post(
        suite.provider["introspection_endpoint"], data={"token": token}, **(asked(suite) | more)
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def test_rfc6749_a_wrong_secret_is_401_with_a_challenge(rfc: Suite) -> None:
    """T8: JSON, no-store, WWW-Authenticate where Basic was tried."""
    answer = await rfc.http.post(
        rfc.provider["token_endpoint"],
        data={"grant_type": "authorization_code", "code": "x"},
        auth=(rfc.client.client_id, "wrong"),
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
async def test_rfc6749_errors(rfc: Suite, data: dict[str, Any], error: str) -> None:
    """Section 5.2: 400 and the code of the mistake."""
    answer = await rfc.http.post(rfc.provider["token_endpoint"], data=data, **asked(rfc))

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_rfc6749_basic_credentials_are_form_encoded(rfc: Suite) -> None:
    """T10: `%` and `:` inside a client_id or secret."""
    odd = base64.b64encode(b"client%3Aodd%25:se%3Acret").decode()
    answer = await rfc.http.post(
        rfc.provider["token_endpoint"],
        data={"grant_type": "authorization_code", "code": "x"},
        headers={"authorization": f"Basic {odd}"},
    )

    assert answer.json()["error"] == "invalid_client"


async def test_rfc7009_a_revoked_access_token_is_dead_at_once(rfc: Suite) -> None:
    """At userinfo, at the API and at introspection, all of which had just accepted it."""
    tokens = await rfc.tokens()
    token = tokens["access_token"]
    assert (await rfc.userinfo(token)).status_code == 200
    assert (await introspected(rfc, token))["active"] is True
    answer = await rfc.http.post(
        rfc.provider["revocation_endpoint"], data={"token": token}, **asked(rfc)
    )
    assert (answer.status_code, answer.json()) == (200, {})

    assert (await rfc.userinfo(token)).status_code == 401
    assert await introspected(rfc, token) == {"active": False}


async def test_rfc7009_revoking_the_refresh_token_ends_the_grant(rfc: Suite) -> None:
    """I4: its access tokens too."""
    tokens = await rfc.tokens()
    assert (await introspected(rfc, tokens["access_token"]))["active"] is True
    await rfc.http.post(
        rfc.provider["revocation_endpoint"], data={"token": tokens["refresh_token"]}, **asked(rfc)
    )

    assert (await introspected(rfc, tokens["access_token"])) == {"active": False}
    answer = await rfc.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"


async def test_rfc7009_an_unknown_token_is_200(rfc: Suite) -> None:
    """I3: nobody learns what exists."""
    answer = await rfc.http.post(
        rfc.provider["revocation_endpoint"], data={"token": "nonsense"}, **asked(rfc)
    )

    assert (answer.status_code, answer.json()) == (200, {})


async def test_rfc7662_what_is_remembered_is_remembered_per_asker(rfc: Suite) -> None:
    """I1: the answer that one client got is not given to another, nor to a wrong secret."""
    token = (await rfc.tokens())["access_token"]
    for _ in range(3):
        told = await introspected(rfc, token)
        assert (told["active"], told["client_id"]) == (True, rfc.client.client_id)
    other = rfc.clients["client2"]
    assert await introspected(rfc, token, auth=(other.client_id, other.client_secret)) == {
        "active": False
    }
    wrong = await rfc.http.post(
        rfc.provider["introspection_endpoint"],
        data={"token": token},
        auth=(rfc.client.client_id, "wrong"),
    )
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    nobody = await rfc.http.post(rfc.provider["introspection_endpoint"], data={"token": token})
    assert nobody.status_code == 401


async def test_rfc7662_signing_out_ends_what_is_remembered(rfc: Suite) -> None:
    """I2: the session's end reaches remembered answers."""
    token = (await rfc.tokens())["access_token"]
    assert (await introspected(rfc, token))["active"] is True
    page = await rfc.browser.get("/logout")
    await rfc.browser.submit(page, page.form("confirm"), confirm="1")

    assert await introspected(rfc, token) == {"active": False}
    assert (await rfc.userinfo(token)).status_code == 401


async def test_rfc7636_pkce_is_demanded_of_public_clients(rfc: Suite) -> None:
    """A5, A6, A7: no challenge, `plain`, and a stripped challenge."""
    async with rfc.system.backend() as api:
        made = await api.post(
            "/api/clients", json={"name": "SPA", "type": "spa", "redirect_uris": [CALLBACK]}
        )
    spa = made.json()["client_id"]
    assert "client_secret" not in made.json()
    for params in ({}, {"code_challenge": "v" * 43, "code_challenge_method": "plain"}):
        result = await rfc.authorize(client_id=spa, **params)
        assert result.fields["error"] == "invalid_request"
    result = await rfc.authorize(
        client_id=spa, code_challenge=challenge("v" * 43), code_challenge_method="S256"
    )

    given = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "client_id": spa}
    answer = await rfc.http.post(
        rfc.provider["token_endpoint"],
        data=given | {"code": result.code, "code_verifier": "v" * 43},
    )
    assert answer.status_code == 200, answer.text


async def test_rfc6750_a_bearer_token_is_not_taken_from_the_query(rfc: Suite) -> None:
    """S8: and the challenge says what is wrong."""
    token = (await rfc.tokens())["access_token"]
    answer: httpx.Response = await rfc.http.get(
        rfc.provider["userinfo_endpoint"], params={"access_token": token}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"

    wrong = await rfc.userinfo(token + "x")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]


async def test_rfc8707_a_token_for_an_api(rfc: Suite) -> None:
    """T16: its audience is that API, and our own API does not take it."""
    identifier = "https://api.rfc8707.test"
    async with rfc.system.backend() as api:
        await api.post("/api/resources", json={"identifier": identifier, "name": "API"})
    result = await rfc.authorize(resource="https://unknown.test")
    assert result.fields["error"] == "invalid_target"
    tokens = await rfc.tokens(resource=identifier)

    assert (await introspected(rfc, tokens["access_token"]))["aud"] == identifier
    assert (await rfc.userinfo(tokens["access_token"])).status_code == 401


async def test_clients_are_administered_over_http(rfc: Suite) -> None:
    """reference.md 1.10: made, read, changed, rotated, listed, deleted."""
    async with rfc.system.backend() as api:
        made = (
            await api.post("/api/clients", json={"name": "A", "redirect_uris": [CALLBACK]})
        ).json()
        at = f"/api/clients/{made['id']}"
        shown = (await api.get(at)).json()
        assert shown["client_id"] == made["client_id"]
        assert "client_secret" not in shown
        changed = await api.put(at, json={"name": "B"})
        assert changed.json()["name"] == "B"
        wrong = await api.put(at, json={"redirect_uris": ["x"]})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "redirect_uris.0")
        rotated = (await api.post(f"{at}/rotate-secret")).json()
        assert rotated["client_secret"] != made["client_secret"]
        listed = (await api.get("/api/clients", params={"limit": 100})).json()
        assert made["id"] in [one["id"] for one in listed["clients"]]
        assert (await api.get(f"{at}/grants")).json() == {"grants": [], "next": None}
        assert (await api.delete(at)).status_code == 200
        assert (await api.get(at)).status_code == 404
