"""fapi2-security-profile-final-test-plan, for plain_fapi, private_key_jwt, dpop and openid_connect.

Names of modules are without `fapi2-security-profile-final-`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
import pytest_asyncio
from tests.conformance.conftest import CALLBACK, Suite
from tests.conformance.signing_client import SigningClient, signing_client, switched_on
from tests.kit.client_keys import ClientKey
from tests.kit.dpop import DpopKey
from tests.kit.system import System

PLAN: Final = [
    "discovery-end-point-verification",
    "happy-flow",
    "user-rejects-authentication",
    "ensure-authorization-request-without-state-success",
    "ensure-authorization-request-without-nonce-success",
    "ensure-authorization-request-with-64-char-nonce-success",
    "ensure-other-scope-order-succeeds",
    "test-claims-parameter-identity-claims",
    "access-token-type-header-case-sensitivity",
    "par-without-duplicate-parameters",
    "check-dpop-proof-nbf-exp",
    "ensure-dpopproof-with-iat-10seconds-before-succeeds",
    "ensure-dpopproof-with-iat-10seconds-after-succeeds",
    "ensure-mismatched-dpop-jkt-fails",
    "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt",
    "ensure-token-endpoint-fails-with-mismatched-dpop-jkt",
    "ensure-dpopproof-at-par-endpoint-binding-success",
    "ensure-dpop-auth-code-binding-success",
    "dpop-negative-tests",
    "ensure-holder-of-key-required",
    "ensure-different-nonce-inside-and-outside-request-object",
    "ensure-different-state-inside-and-outside-request-object",
    "ensure-authorization-request-with-long-nonce",
    "ensure-authorization-request-with-long-state",
    "state-only-outside-request-object-not-used",
    "ensure-request-object-without-redirect-uri-fails",
    "plain-fapi-tolerate-unregistered-redirect-uri",
    "ensure-unsigned-authorization-request-without-using-par-fails",
    "ensure-redirect-uri-in-authorization-request",
    "ensure-response-type-code-idtoken-fails",
    "ensure-response-type-token-fails",
    "ensure-client-id-in-token-endpoint",
    "ensure-authorization-code-is-bound-to-client",
    "attempt-reuse-authorization-code-after-one-second",
    "ensure-token-endpoint-fails-with-expired-auth-code",
    "ensure-signed-client-assertion-with-RS256-fails",
    "ensure-client-assertion-in-token-endpoint",
    "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
    "ensure-client-assertion-with-wrong-aud-fails",
    "ensure-client-assertion-with-no-sub-fails",
    "par-test-array-as-audience-fails",
    "par-test-par-endpoint-url-as-audience-fails",
    "par-test-token-endpoint-url-as-audience-fails",
    "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
    "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
    "refresh-token",
    "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
    "par-attempt-reuse-request_uri",
    "par-attempt-to-use-expired-request_uri",
    "par-attempt-to-use-request_uri-for-different-client",
    "par-authorization-request-containing-request_uri-form-param",
    "par-attempt-invalid-http-method",
    "par-ensure-pkce-required",
    "ensure-pkce-code-verifier-required",
    "incorrect-pkce-code-verifier-rejected",
    "par-plain-pkce-rejected",
]
ELSEWHERE: Final = {
    "test-claims-parameter-identity-claims": "skipped by the suite too: it needs a country's claims",
    "par-attempt-to-use-expired-request_uri": "tests/service/oidc/test_pushed_requests.py moves the clock",
    "ensure-token-endpoint-fails-with-expired-auth-code": "tests/service/oidc/test_security_profile.py",
    "user-rejects-authentication": "tests/service/oidc/test_pushed_requests.py; this client is first-party",
}
"""Modules that another test has, or that have no test, with the reason."""


def test_every_module_of_the_plan_is_named() -> None:
    """56 modules: each is the name of a test here, or of one of its cases, or is in ELSEWHERE."""
    source = Path(__file__).read_text().split('"""', 4)[-1].replace("_", "-")
    own = source[source.index("def test-every") :]
    assert len(PLAN) == len(set(PLAN)) == 56
    for name in PLAN:
        quoted = re.search(rf'(test-|"){re.escape(name.replace("_", "-"))}["(]', own)
        assert (quoted is not None) != (name in ELSEWHERE), name


@pytest_asyncio.fixture(scope="module", autouse=True)
async def switches(system: System) -> AsyncIterator[None]:
    async with switched_on(system):
        yield


@pytest_asyncio.fixture
async def fapi(fresh: Suite) -> AsyncIterator[SigningClient]:
    async with signing_client(fresh, security_profile="fapi2") as client:
        client.holder = DpopKey()
        yield client


@pytest_asyncio.fixture
async def other(fapi: SigningClient) -> AsyncIterator[SigningClient]:
    """The second client of the plan."""
    async with signing_client(fapi.suite, security_profile="fapi2") as client:
        client.holder = DpopKey()
        yield client


def is_error(answer: httpx.Response, *errors: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) in {(status, error) for error in errors}


@pytest.mark.long
async def test_discovery_end_point_verification(fapi: SigningClient) -> None:
    """What the profile needs is listed."""
    told = fapi.suite.provider
    assert told["pushed_authorization_request_endpoint"] == f"{told['issuer']}/oauth2/par"
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    algs = set(told["token_endpoint_auth_signing_alg_values_supported"])
    assert {"PS256", "ES256", "EdDSA"} <= algs
    assert {"PS256", "ES256", "EdDSA"} <= set(told["dpop_signing_alg_values_supported"])


async def test_happy_flow(fapi: SigningClient) -> None:
    """Push, sign in, redeem with a proof. The token is bound, and UserInfo takes it with a proof."""
    result = await fapi.authorize()
    assert result.fields["iss"] == fapi.issuer
    answer = await fapi.redeem(result.code)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert tokens["token_type"] == "DPoP"
    assert (await fapi.userinfo(tokens["access_token"])).status_code == 200


@pytest.mark.long
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": None}, id="ensure-authorization-request-without-state-success"),
        pytest.param({"nonce": None}, id="ensure-authorization-request-without-nonce-success"),
        pytest.param(
            {"nonce": "n" * 64}, id="ensure-authorization-request-with-64-char-nonce-success"
        ),
        pytest.param({"nonce": "n" * 384}, id="ensure-authorization-request-with-long-nonce"),
        pytest.param({"state": "s" * 384}, id="ensure-authorization-request-with-long-state"),
        pytest.param({"scope": "email openid"}, id="ensure-other-scope-order-succeeds"),
        pytest.param({"extra": "x"}, id="par-without-duplicate-parameters"),
    ],
)
async def test_good_requests(fapi: SigningClient, changes: dict[str, Any]) -> None:
    result = await fapi.authorize(**changes)
    assert (await fapi.redeem(result.code)).status_code == 200


@pytest.mark.long
async def test_access_token_type_header_case_sensitivity(fapi: SigningClient) -> None:
    """The scheme's case does not matter (RFC 9110 section 11.1)."""
    tokens = (await fapi.redeem((await fapi.authorize()).code)).json()
    for scheme in ("DPoP", "dpop", "DPOP"):
        answer = await fapi.userinfo(tokens["access_token"], scheme=scheme)
        assert answer.status_code == 200, (scheme, answer.text)


@pytest.mark.long
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nbf": 0, "exp": 60}, id="check-dpop-proof-nbf-exp"),
        pytest.param({"iat": -10}, id="ensure-dpopproof-with-iat-10seconds-before-succeeds"),
        pytest.param({"iat": 10}, id="ensure-dpopproof-with-iat-10seconds-after-succeeds"),
    ],
)
async def test_good_proofs(fapi: SigningClient, claims: dict[str, int]) -> None:
    moments = {name: int(time.time()) + seconds for name, seconds in claims.items()}
    answer = await fapi.redeem((await fapi.authorize()).code, proof=moments)
    assert answer.status_code == 200, answer.text


@pytest.mark.long
@pytest.mark.parametrize(
    "proof",
    [
        {"header": {"typ": "jwt"}},
        {"htm": "GET"},
        {"htu": "https://other.example/oauth2/token"},
        {"htm": None},
        {"htu": None},
        {"iat": None},
        {"jti": None},
        {"iat": 1},
        {"header": {"jwk": None}},
    ],
    ids=lambda proof: f"dpop-negative-tests {proof}",
)
async def test_dpop_negative_tests(fapi: SigningClient, proof: dict[str, Any]) -> None:
    """RFC 9449 section 4.3"""
    answer = await fapi.redeem((await fapi.authorize()).code, proof=proof)
    is_error(answer, "invalid_dpop_proof")


async def test_ensure_holder_of_key_required(fapi: SigningClient) -> None:
    """Without a proof there are no tokens, for any grant."""
    result = await fapi.authorize()
    fapi.holder = None
    is_error(await fapi.redeem(result.code), "invalid_request", "invalid_dpop_proof")


def bound(fapi: SigningClient, how: str) -> dict[str, Any]:
    """Returns what binds a code to the holder's key."""
    assert fapi.holder is not None
    return {"bound": True} if how == "header" else {"dpop_jkt": fapi.holder.thumbprint}


@pytest.mark.long
@pytest.mark.parametrize("how", ["dpop_jkt", "header"])
async def test_ensure_dpop_auth_code_binding_success(fapi: SigningClient, how: str) -> None:
    """RFC 9449 section 10: the code is bound to the key, by the parameter or by a proof at the endpoint for
    pushed requests ("ensure-dpopproof-at-par-endpoint-binding-success")."""
    result = await fapi.authorize(**bound(fapi, how))
    assert (await fapi.redeem(result.code)).status_code == 200


@pytest.mark.long
@pytest.mark.parametrize("how", ["dpop_jkt", "header"])
async def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(
    fapi: SigningClient, how: str
) -> None:
    """Another key cannot redeem it ("ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt")."""
    result = await fapi.authorize(**bound(fapi, how))
    fapi.holder = DpopKey()
    is_error(await fapi.redeem(result.code), "invalid_grant", "invalid_dpop_proof")


@pytest.mark.long
async def test_ensure_mismatched_dpop_jkt_fails(fapi: SigningClient) -> None:
    """A proof and a `dpop_jkt` of different keys are refused together (section 10.1)."""
    answer = await fapi.push(fapi.parameters(dpop_jkt=DpopKey().thumbprint), bound=True)
    is_error(answer, "invalid_request", "invalid_dpop_proof")


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nonce", id="ensure-different-nonce-inside-and-outside-request-object"),
        pytest.param("state", id="ensure-different-state-inside-and-outside-request-object"),
        pytest.param("only", id="state-only-outside-request-object-not-used"),
    ],
)
async def test_parameters_of_the_address_do_not_count(fapi: SigningClient, name: str) -> None:
    params = fapi.parameters(**{"state": None} if name == "only" else {})
    request_uri = (await fapi.push(params)).json()["request_uri"]
    outside = {"state" if name == "only" else name: "outside"}
    page = await fapi.visit(request_uri=request_uri, **outside)
    result = await fapi.suite.finished(page, params.get("state"))
    tokens = (await fapi.redeem(result.code)).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert claims["nonce"] == params["nonce"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        pytest.param(
            {"redirect_uri": None},
            ["invalid_request"],
            id="ensure-redirect-uri-in-authorization-request",
        ),
        pytest.param(
            {"redirect_uri": CALLBACK + "/new"},
            ["invalid_request"],
            id="plain-fapi-tolerate-unregistered-redirect-uri",
        ),
        pytest.param(
            {"response_type": "code id_token"},
            ["unsupported_response_type"],
            id="ensure-response-type-code-idtoken-fails",
        ),
        pytest.param(
            {"response_type": "token"},
            ["unsupported_response_type"],
            id="ensure-response-type-token-fails",
        ),
        pytest.param(
            {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
            ["invalid_request"],
            id="par-authorization-request-containing-request_uri-form-param",
        ),
        pytest.param(
            {"code_challenge": None, "code_challenge_method": None},
            ["invalid_request"],
            id="par-ensure-pkce-required",
        ),
        pytest.param(
            {"code_challenge": "v" * 43, "code_challenge_method": "plain"},
            ["invalid_request"],
            id="par-plain-pkce-rejected",
        ),
    ],
)
async def test_refused_at_the_push(
    fapi: SigningClient, changes: dict[str, Any], errors: list[str]
) -> None:
    is_error(await fapi.push(fapi.parameters(**changes)), *errors)


@pytest.mark.long
async def test_ensure_request_object_without_redirect_uri_fails(fapi: SigningClient) -> None:
    signed = fapi.request_object(redirect_uri=None, scope="email")
    is_error(await fapi.push({"client_id": fapi.client_id, "request": signed}), "invalid_request")


@pytest.mark.long
async def test_ensure_unsigned_authorization_request_without_using_par_fails(
    fapi: SigningClient,
) -> None:
    params = fapi.parameters()
    result = await fapi.suite.finished(await fapi.visit(**params), params["state"])
    assert result.fields["error"] == "invalid_request"


@pytest.mark.long
async def test_ensure_client_id_in_token_endpoint(
    fapi: SigningClient, other: SigningClient
) -> None:
    """A `client_id` in the form must be that of the assertion."""
    result = await fapi.authorize()
    answer = await fapi.redeem(result.code, client_id=other.client_id)
    is_error(answer, "invalid_client", status=401)
    assert (await fapi.redeem(result.code, client_id=fapi.client_id)).status_code == 200


@pytest.mark.long
async def test_ensure_authorization_code_is_bound_to_client(
    fapi: SigningClient, other: SigningClient
) -> None:
    result = await fapi.authorize()
    is_error(await other.redeem(result.code), "invalid_grant")


@pytest.mark.long
async def test_attempt_reuse_authorization_code_after_one_second(fapi: SigningClient) -> None:
    """The tokens of the code are revoked."""
    code = (await fapi.authorize()).code
    tokens = (await fapi.redeem(code)).json()
    await asyncio.sleep(1)
    is_error(await fapi.redeem(code), "invalid_grant")
    assert (await fapi.userinfo(tokens["access_token"])).status_code == 401


@pytest.mark.long
async def test_ensure_client_assertion_in_token_endpoint(fapi: SigningClient) -> None:
    """The client's id alone does not authenticate it."""
    result = await fapi.authorize()
    answer = await fapi.redeem(result.code, client_assertion=None, client_id=fapi.client_id)
    is_error(answer, "invalid_client", status=401)


@pytest.mark.long
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(
            {"exp": -300}, id="ensure-client-assertion-with-exp-is-5-minutes-in-past-fails"
        ),
        pytest.param(
            {"aud": "https://other.example"}, id="ensure-client-assertion-with-wrong-aud-fails"
        ),
        pytest.param({"sub": None}, id="ensure-client-assertion-with-no-sub-fails"),
        pytest.param({"aud": ["{issuer}"]}, id="par-test-array-as-audience-fails"),
        pytest.param(
            {"aud": "{issuer}/oauth2/par"}, id="par-test-par-endpoint-url-as-audience-fails"
        ),
        pytest.param(
            {"aud": "{issuer}/oauth2/token"}, id="par-test-token-endpoint-url-as-audience-fails"
        ),
        pytest.param(
            {"nbf": 61},
            id="par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
        ),
    ],
)
async def test_wrong_assertions(fapi: SigningClient, claims: dict[str, Any]) -> None:
    """They are refused at the endpoint for pushed requests and at the token endpoint."""
    changes = {name: _value(fapi, value) for name, value in claims.items()}
    is_error(await fapi.push(**changes), "invalid_client", status=401)
    code = (await fapi.authorize()).code
    is_error(await fapi.redeem(code, **fapi.assertion(**changes)), "invalid_client", status=401)


def _value(fapi: SigningClient, value: Any) -> Any:
    """Returns a claim: seconds from now, or a text with the issuer."""
    if isinstance(value, int):
        return int(time.time()) + value
    if isinstance(value, list):
        return [_value(fapi, one) for one in value]
    return value and value.replace("{issuer}", fapi.issuer)


@pytest.mark.long
async def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    fapi: SigningClient,
) -> None:
    assert (await fapi.push(nbf=int(time.time()) + 8)).status_code == 201


@pytest.mark.long
async def test_ensure_signed_client_assertion_with_RS256_fails(fapi: SigningClient) -> None:
    """RS256 is refused, though the key is good and says no algorithm."""
    key = ClientKey("RS256")
    keys = [{name: value for name, value in key.jwks["keys"][0].items() if name != "alg"}]
    async with signing_client(
        fapi.suite, key, security_profile="fapi2", jwks={"keys": keys}
    ) as client:
        is_error(await client.push(), "invalid_client", status=401)
        key.alg = "PS256"
        assert (await client.push()).status_code == 201


@pytest.mark.long
async def test_refresh_token(fapi: SigningClient, other: SigningClient) -> None:
    """It stays the same, is bound to its client, and needs a proof."""
    result = await fapi.authorize(scope="openid offline_access")
    tokens = (await fapi.redeem(result.code)).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    is_error(await other.token(refresh), "invalid_grant")
    holder, fapi.holder = fapi.holder, None
    is_error(await fapi.token(refresh), "invalid_request", "invalid_dpop_proof")
    fapi.holder = holder
    for _ in range(2):
        answer = await fapi.token(refresh)
        assert answer.status_code == 200, answer.text
        assert answer.json().get("refresh_token") in (None, tokens["refresh_token"])


@pytest.mark.long
async def test_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(
    fapi: SigningClient,
) -> None:
    params = fapi.parameters()
    request_uri = (await fapi.push(params)).json()["request_uri"]
    await fapi.visit(request_uri=request_uri)
    page = await fapi.visit(request_uri=request_uri)
    result = await fapi.suite.finished(page, params["state"])
    assert (await fapi.redeem(result.code)).status_code == 200


@pytest.mark.long
async def test_par_attempt_reuse_request_uri(fapi: SigningClient) -> None:
    """par-attempt-reuse-request_uri: after the code, the name is an error page."""
    params = fapi.parameters()
    request_uri = (await fapi.push(params)).json()["request_uri"]
    await fapi.suite.finished(await fapi.visit(request_uri=request_uri), params["state"])
    page = await fapi.visit(request_uri=request_uri)
    assert (page.away, page.response.status_code) == (False, 400)


@pytest.mark.long
async def test_par_attempt_to_use_request_uri_for_different_client(
    fapi: SigningClient, other: SigningClient
) -> None:
    """par-attempt-to-use-request_uri-for-different-client"""
    request_uri = await fapi.pushed()
    page = await other.visit(request_uri=request_uri)
    assert (page.away, page.response.status_code) == (False, 400)


@pytest.mark.long
async def test_par_attempt_invalid_http_method(fapi: SigningClient) -> None:
    assert (await fapi.suite.http.get("/oauth2/par")).status_code == 405


@pytest.mark.long
@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param(None, id="ensure-pkce-code-verifier-required"),
        pytest.param(secrets.token_urlsafe(32), id="incorrect-pkce-code-verifier-rejected"),
    ],
)
async def test_verifiers(fapi: SigningClient, verifier: str | None) -> None:
    answer = await fapi.redeem((await fapi.authorize()).code, code_verifier=verifier)
    is_error(answer, "invalid_grant", "invalid_request")
