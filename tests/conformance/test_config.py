"""oidcc-config-certification-test-plan, and the discovery modules of the logout plans."""

from __future__ import annotations

import re

import jwt
from tests.conformance.conftest import SCOPES, Suite


async def test_oidcc_discovery_endpoint_verification(fresh: Suite) -> None:
    """The issuer is the address of the document, and every endpoint in it answers."""
    told = fresh.provider
    answer = await fresh.http.get("/.well-known/openid-configuration")
    assert answer.headers["content-type"].startswith("application/json")
    assert fresh.issuer + "/.well-known/openid-configuration" == str(answer.url)
    assert all(value not in (None, [], "") for value in told.values()), "no empty member"
    assert told["issuer"] == fresh.system.origin("demo")
    for name, value in told.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(told["issuer"] + "/"), name
            tried = [await fresh.http.request(method, value) for method in ("GET", "POST")]
            assert {answer.status_code for answer in tried} != {404}, name
    assert "RS256" in told["id_token_signing_alg_values_supported"]
    assert set(SCOPES) <= set(told["scopes_supported"])
    assert told["response_types_supported"] == ["code"]
    assert "authorization_code" in told["grant_types_supported"]
    assert {"query", "fragment", "form_post"} <= set(told["response_modes_supported"])
    assert {"sub", "name", "email"} <= set(told["claims_supported"])
    for locale in (*told["ui_locales_supported"], *told.get("claims_locales_supported", ())):
        assert re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", locale), "BCP 47, its case"
    for scope in told["scopes_supported"]:
        assert re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope)
    for name, value in told.items():
        if name.endswith("_supported") and not isinstance(value, bool):
            assert isinstance(value, list), name
            assert (len(set(value)), {type(one) for one in value}) == (len(value), {str}), name
    assert set(told["subject_types_supported"]) <= {"public", "pairwise"}
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "none" not in told["id_token_signing_alg_values_supported"]
    assert {"client_secret_basic", "client_secret_post"} <= set(
        told["token_endpoint_auth_methods_supported"]
    )
    assert told["claims_parameter_supported"] is True


async def test_every_key_of_the_jwks_is_valid(fresh: Suite) -> None:
    """Keys are public and distinct, with use, alg and kid. Each has an address of its own too."""
    keys = (await fresh.http.get(fresh.provider["jwks_uri"])).json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) >= 2
    for key in keys:
        assert (key["use"], bool(key["alg"])) == ("sig", True)
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
        for name in key.keys() & {"n", "e", "x", "y"}:
            assert re.fullmatch(r"[A-Za-z0-9_-]+", key[name]), "base64url without padding"
        jwt.PyJWK(key)
        alone = await fresh.http.get(f"/oauth2/jwks/{key['kid']}")
        assert alone.json() == key


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(fresh: Suite) -> None:
    assert fresh.provider["end_session_endpoint"] == f"{fresh.issuer}/oauth2/logout"


async def test_oidcc_backchannel_logout_discovery_endpoint_verification(fresh: Suite) -> None:
    assert fresh.provider["backchannel_logout_supported"] is True
    assert fresh.provider["backchannel_logout_session_supported"] is True


async def test_oidcc_frontchannel_logout_discovery_endpoint_verification(fresh: Suite) -> None:
    assert fresh.provider["frontchannel_logout_supported"] is True
    assert fresh.provider["frontchannel_logout_session_supported"] is True
