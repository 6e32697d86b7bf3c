"""oidcc-basic-certification-test-plan and oidcc-formpost-basic-certification-test-plan."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.conformance.conftest import ALIAS, CALLBACK, PROFILE, SCOPES, Suite, challenge

from common.acr import MAIL
from common.acr import PASSWORD as PASSWORD_CLASS


async def test_oidcc_server(suite: Suite) -> None:
    """The code flow gives an ID token with the nonce, and UserInfo has the same subject."""
    tokens = await suite.tokens()
    assert tokens["token_type"].lower() == "bearer"

    assert (await suite.claims(tokens["access_token"]))["sub"] == tokens["claims"]["sub"]


async def test_oidcc_alternate_happy_flow(suite: Suite) -> None:
    """The order of parameters and members does not matter."""
    tokens = await suite.tokens(scope="email openid")

    assert (await suite.claims(tokens["access_token"]))["email"] == suite.email


async def test_oidcc_response_type_missing(suite: Suite) -> None:
    """The error is sent to the redirect URI."""
    result = await suite.authorize(response_type=None)

    assert result.fields["error"] == "invalid_request"


async def test_oidcc_idtoken_signature(suite: Suite) -> None:
    """It is RS256, with a key of the JWKS named by kid."""
    tokens = await suite.tokens()

    assert tokens["claims"]["aud"] == suite.client.client_id


async def test_oidcc_userinfo_get(suite: Suite) -> None:
    """UserInfo answers GET with JSON."""
    tokens = await suite.tokens()
    answer = await suite.userinfo(tokens["access_token"])

    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["sub"] == tokens["claims"]["sub"]


async def test_oidcc_userinfo_post_header(suite: Suite) -> None:
    """UserInfo answers POST with the token in the header."""
    tokens = await suite.tokens()

    assert (await suite.userinfo(tokens["access_token"], "POST")).status_code == 200


async def test_oidcc_userinfo_post_body(suite: Suite) -> None:
    """UserInfo answers POST with the token in the form."""
    tokens = await suite.tokens()
    answer = await suite.http.post(
        suite.provider["userinfo_endpoint"], data={"access_token": tokens["access_token"]}
    )

    assert answer.status_code == 200


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(suite: Suite) -> None:
    """The nonce is optional here, and the ID token then has none."""
    result = await suite.authorize(nonce=None)
    tokens = (await suite.redeem(result.code)).json()

    assert "nonce" not in await suite.verified(tokens["id_token"])


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("profile", sorted(PROFILE.keys() - {"phone_number", "address"} | {"updated_at"})),
        ("email", ["email", "email_verified"]),
        ("address", ["address"]),
        ("phone", ["phone_number", "phone_number_verified"]),
    ],
    ids=["oidcc-scope-profile", "oidcc-scope-email", "oidcc-scope-address", "oidcc-scope-phone"],
)
async def test_oidcc_scope(suite: Suite, scope: str, names: list[str]) -> None:
    """UserInfo has the claims of the scope and no others. The ID token has none of them."""
    tokens = await suite.tokens(scope=f"openid {scope}")
    assert not tokens["claims"].keys() & set(names)
    told = await suite.claims(tokens["access_token"])

    assert sorted(told) == sorted([*names, "sub"])
    for name in names:
        assert told[name] == PROFILE.get(name, told[name])


async def test_oidcc_scope_all(suite: Suite) -> None:
    """UserInfo has the claims of all scopes, each of its JSON type."""
    tokens = await suite.tokens(scope=" ".join(SCOPES[:5]))
    told = await suite.claims(tokens["access_token"])

    assert PROFILE.items() <= told.items()
    assert (told["email_verified"], told["phone_number_verified"]) == (True, True)
    assert isinstance(told["updated_at"], int)


@pytest.mark.parametrize(
    "params",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"login_hint": "buffy@example.com"},
        {"extra": "foobar"},
    ],
    ids=[
        "oidcc-display-page",
        "oidcc-display-popup",
        "oidcc-ui-locales",
        "oidcc-claims-locales",
        "oidcc-login-hint",
        "oidcc-ensure-request-with-unknown-parameter-succeeds",
    ],
)
async def test_oidcc_parameters(suite: Suite, params: dict[str, Any]) -> None:
    """These parameters cause no error."""
    assert await suite.tokens(**params)


async def test_oidcc_prompt_login(suite: Suite) -> None:
    """The user has to sign in again, and auth_time changes."""
    first = await suite.tokens()
    await asyncio.sleep(1.1)
    second = await suite.tokens(prompt="login")

    assert second["signed_in"] == 1
    assert second["claims"]["auth_time"] > first["claims"]["auth_time"]
    assert second["claims"]["sub"] == first["claims"]["sub"]


async def test_oidcc_prompt_none_not_logged_in(suite: Suite) -> None:
    """No page is shown."""
    result = await suite.authorize(prompt="none")

    assert result.fields["error"] in ("login_required", "interaction_required")


async def test_oidcc_prompt_none_logged_in(suite: Suite) -> None:
    """The request succeeds without a page, with the same user and sign-in."""
    first = await suite.tokens()
    second = await suite.tokens(prompt="none")

    assert second["signed_in"] == 0
    for name in ("sub", "auth_time"):
        assert second["claims"][name] == first["claims"][name]


async def test_oidcc_max_age_1(suite: Suite) -> None:
    """More than a second later, the user has to sign in again."""
    first = await suite.tokens()
    await asyncio.sleep(2.1)
    second = await suite.tokens(max_age="1")

    assert second["signed_in"] == 1
    assert second["claims"]["auth_time"] > first["claims"]["auth_time"]
    assert time.time() - second["claims"]["auth_time"] < 60


async def test_oidcc_max_age_10000(suite: Suite) -> None:
    """The session is new enough, and no page is shown."""
    first = await suite.tokens()
    second = await suite.tokens(max_age="10000")

    assert second["signed_in"] == 0
    assert second["claims"]["auth_time"] == first["claims"]["auth_time"]


async def test_oidcc_id_token_hint(suite: Suite) -> None:
    """prompt=none succeeds with a hint of the user who is signed in."""
    first = await suite.tokens()
    second = await suite.tokens(prompt="none", id_token_hint=first["id_token"])

    assert second["claims"]["sub"] == first["claims"]["sub"]


async def test_oidcc_ensure_request_with_acr_values_succeeds(suite: Suite) -> None:
    """The request has the values of discovery, else "1 2", and one of them comes back. A value that
    no sign-in reaches is no error."""
    listed = suite.provider["acr_values_supported"]
    for wanted in (" ".join(listed), " ".join(listed[:2]), listed[0]):
        assert (await suite.tokens(acr_values=wanted))["claims"]["acr"] in wanted.split()

    assert (await suite.tokens(acr_values="1 2"))["claims"]["acr"] in listed


async def test_another_class_of_sign_in_is_asked_for(fresh: Suite) -> None:
    """A request with acr_values sends the user to the way that reaches the class: by mail, and back
    by password. The earlier sign-in does not count (RFC 9470)."""
    first = await fresh.tokens()
    assert first["claims"]["acr"] == PASSWORD_CLASS

    given = fresh.request(acr_values=MAIL)
    address = f"{fresh.provider['authorization_endpoint']}?{urlencode(given)}"
    page = await fresh.browser.get(address)
    page = await fresh.browser.submit(page, page.form("email"), email=fresh.email)
    assert "/login/code" in page.url
    code = await fresh.system.mailed_code(fresh.email)
    page = await fresh.browser.submit(page, page.form("code"), code=code)
    result = await fresh.finished(page, given["state"])
    tokens = (await fresh.redeem(result.code)).json()
    claims = await fresh.verified(tokens["id_token"])
    assert (claims["acr"], claims["amr"]) == (MAIL, ["otp"])
    assert claims["auth_time"] >= first["claims"]["auth_time"]
    assert (await fresh.tokens(prompt="none"))["claims"]["acr"] == MAIL

    wanted = json.dumps({"id_token": {"acr": {"essential": True, "values": [PASSWORD_CLASS]}}})
    silent = await fresh.authorize(prompt="none", claims=wanted)
    assert silent.fields["error"] == "login_required"
    back = await fresh.tokens(claims=wanted)
    assert (back["signed_in"], back["claims"]["acr"]) == (1, PASSWORD_CLASS)

    wanted = json.dumps({"id_token": {"acr": {"essential": True, "values": ["phr"]}}})
    never = await fresh.authorize(claims=wanted)
    assert never.fields["error"] == "unmet_authentication_requirements"


async def test_oidcc_claims_essential(suite: Suite) -> None:
    """UserInfo has an essential claim of the `claims` parameter without its scope."""
    wanted = '{"userinfo": {"name": {"essential": true}}}'
    tokens = await suite.tokens(claims=wanted)
    assert "name" not in tokens["claims"]

    assert (await suite.claims(tokens["access_token"]))["name"] == PROFILE["name"]


async def test_oidcc_ensure_post_request_succeeds(suite: Suite) -> None:
    """The authorization request may be a POST."""
    result = await suite.authorize(post=True)

    assert (await suite.redeem(result.code)).status_code == 200


async def test_oidcc_ensure_registered_redirect_uri(suite: Suite) -> None:
    """An error page names the address. Nothing on it leads there, and nobody is redirected."""
    result = await suite.authorize(redirect_uri=CALLBACK + "/other", act=False)

    assert not result.page.away
    assert result.page.response.status_code == 400
    assert CALLBACK + "/other" in result.page.text
    assert f'="{ALIAS}' not in result.page.text


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(suite: Suite) -> None:
    """S256 is accepted, and the verifier is then required."""
    params: dict[str, Any] = {
        "code_challenge": challenge("v" * 43),
        "code_challenge_method": "S256",
    }
    result = await suite.authorize(**params)
    assert (await suite.redeem(result.code, code_verifier="v" * 43)).status_code == 200

    result = await suite.authorize(**params)
    assert (await suite.redeem(result.code)).json()["error"] == "invalid_grant"


async def test_oidcc_server_client_secret_post(suite: Suite) -> None:
    """A client may post its secret."""
    assert await suite.tokens(suite.clients["client_secret_post"])


async def test_oidcc_codereuse(suite: Suite) -> None:
    """The second use of a code is refused."""
    result = await suite.authorize()
    assert (await suite.redeem(result.code)).status_code == 200
    second = await suite.redeem(result.code)

    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": f"{ALIAS}/requesturi"}, "request_uri_not_supported"),
    ],
    ids=[
        "oidcc-unsigned-request-object, with parameters beside it",
        "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
    ],
)
async def test_oidcc_request_objects(suite: Suite, params: dict[str, Any], error: str) -> None:
    """They are refused, and discovery does not list them."""
    result = await suite.authorize(**params)

    assert result.fields["error"] == error
    assert suite.provider["request_parameter_supported"] is False
    assert suite.provider["request_uri_parameter_supported"] is False


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    suite: Suite, mode: str
) -> None:
    """As in the suite, response mode, state and nonce are in the object alone. The error is sent by
    them."""
    state = secrets.token_urlsafe(24)
    inside = {"response_mode": mode, "state": state, "nonce": "n-0S6", "response_type": "code"}
    payload = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode().rstrip("=")
    sent = suite.request(
        request=f"eyJhbGciOiJub25lIn0.{payload}.", state=None, nonce=None, response_mode=None
    )
    page = await suite.browser.get(f"{suite.provider['authorization_endpoint']}?{urlencode(sent)}")
    result = await suite.finished(page, state, act=False)

    assert result.fields["error"] == "request_not_supported"
    sent_by = "form_post" if not page.away else "fragment" if "#" in page.url else "query"
    assert sent_by == mode


async def test_oidcc_ensure_request_object_with_redirect_uri(suite: Suite) -> None:
    """The object has the registered address, and the request has another one. An error page is
    shown, and nobody is redirected."""
    inside = base64.urlsafe_b64encode(json.dumps({"redirect_uri": CALLBACK}).encode()).decode()
    result = await suite.authorize(
        request=f"eyJhbGciOiJub25lIn0.{inside.rstrip('=')}.",
        redirect_uri=CALLBACK + "/invalid",
        act=False,
    )

    assert not result.page.away
    assert result.page.response.status_code == 400


async def test_oidcc_refresh_token(suite: Suite) -> None:
    """It is bound to its client. The new ID token has the same iss, sub, aud and auth_time, and no
    nonce."""
    assert {"refresh_token", "authorization_code"} <= set(suite.provider["grant_types_supported"])
    tokens = await suite.tokens(scope="openid offline_access", prompt="consent")
    await asyncio.sleep(1)
    answer = await suite.token(
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
        scope="openid offline_access",
    )
    assert answer.status_code == 200
    assert answer.json()["access_token"] != tokens["access_token"]
    fresh = await suite.verified(answer.json()["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "azp"):
        assert fresh.get(name) == tokens["claims"].get(name)
    assert fresh["iat"] > tokens["claims"]["iat"]
    assert "nonce" not in fresh
    assert (await suite.claims(answer.json()["access_token"]))["sub"] == fresh["sub"]

    stolen = await suite.token(
        suite.clients["client2"],
        grant_type="refresh_token",
        refresh_token=answer.json()["refresh_token"],
    )
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    other = await suite.tokens(
        suite.clients["client2"], scope="openid offline_access", prompt="consent"
    )
    stolen = await suite.token(grant_type="refresh_token", refresh_token=other["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    mine = await suite.token(
        suite.clients["client2"],
        grant_type="refresh_token",
        refresh_token=other["refresh_token"],
    )
    assert mine.status_code == 200


async def test_the_response_mode_is_the_one_asked_for(suite: Suite) -> None:
    """`form_post` is an HTML form that submits itself and has a button. Otherwise the response is
    in the query."""
    result = await suite.authorize()

    assert result.location.split("?")[0] == CALLBACK
    assert result.page.away == (suite.mode is None)


async def test_signing_in_again_signs_nobody_out(fresh: Suite) -> None:
    """prompt=login of one client gives the session a new id. The grants of another client go on,
    even twice."""
    other = await fresh.tokens(fresh.clients["client2"])
    for _ in range(2):
        assert (await fresh.tokens(prompt="login"))["signed_in"] == 1
    assert (await fresh.userinfo(other["access_token"])).status_code == 200
    answer = await fresh.token(
        fresh.clients["client2"], grant_type="refresh_token", refresh_token=other["refresh_token"]
    )
    assert answer.status_code == 200, answer.text

    page = await fresh.browser.get("/logout")
    await fresh.browser.submit(page, page.form("confirm"), confirm="1")
    assert (await fresh.userinfo(answer.json()["access_token"])).status_code == 401
