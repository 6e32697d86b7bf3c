"""The pages and calls of second factors, with fake services."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import httpx
import pytest
from tests.kit import factor_people
from tests.kit.factor_people import DEVICE, HALF, RECOVERY, TOTP_CODE
from tests.kit.fake_services import FakeServices
from tests.kit.people import EMAIL, PASSWORD, People
from tests.unit.gateway.test_pages import change_settings, post, signed_in

from common.contracts.passwords import SignInWithPassword
from common.contracts.second_factors import (
    CancelSignIn,
    CompleteSignIn,
    ConfirmTotp,
    RegenerateRecoveryCodes,
    RemoveTotp,
    ResetSecondFactors,
    RevokeDevice,
)
from common.contracts.sessions import CheckSession
from common.contracts.tenants import Tenant
from common.problems import RateLimited

PAGE = "/login/second-factor"
ORIGIN = {"origin": "http://demo.localhost:8080"}


@pytest.fixture
def app(world: FakeServices) -> Tenant:
    app = world.add("demo")
    change_settings(world, app, mfa_policy="optional")
    return world.tenants[app.host]


def last(people: People, kind: type[Any]) -> Any:
    return next(call for call in reversed(people.world.bus.calls) if isinstance(call, kind))


def calls(people: People, kind: type[Any]) -> int:
    return sum(isinstance(call, kind) for call in people.world.bus.calls)


async def by_password(http: httpx.AsyncClient, people: People, **fields: str) -> httpx.Response:
    """Signs in with the password, at the sign-in page."""
    await post(http, "/login", email=EMAIL, **fields)
    return await post(http, "/login/password", email=EMAIL, password=PASSWORD, **fields)


async def half(http: httpx.AsyncClient, people: People, **fields: str) -> httpx.Response:
    """Leads to the page for the second factor."""
    people.challenge = factor_people.challenge()
    return await by_password(http, people, **fields)


def cookies(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


async def test_the_second_step(http: httpx.AsyncClient, people: People) -> None:
    """The password sets the cookie of the half session and no session. The code sets the session's,
    deletes the other, and leads to where the user was going."""
    to = {"return_to": "/account/sessions"}
    first = await half(http, people, **to)
    assert first.headers["location"] == f"{PAGE}?return_to=%2Faccount%2Fsessions"
    assert any(one.startswith(f"aero2_half={HALF}; ") for one in cookies(first))
    assert not any(one.startswith("aero2_session=") for one in cookies(first))
    page = await http.get(f"{PAGE}?return_to=/account/sessions")
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    done = await post(http, PAGE, code=TOTP_CODE, **to)

    assert (done.status_code, done.headers["location"]) == (303, "/account/sessions")
    assert any(one.startswith("aero2_session=tok") for one in cookies(done))
    assert any(one.startswith('aero2_half=""') for one in cookies(done))
    sent = last(people, CompleteSignIn)
    assert (sent.token, sent.remember_device) == (HALF, False)
    assert sent.browser


async def test_a_half_session_is_no_session(http: httpx.AsyncClient, people: People) -> None:
    """Its cookie opens no page of the account and no call, also under the name of a session."""
    await half(http, people)
    asked = len(people.world.bus.calls)
    for headers in ({}, {"cookie": f"aero2_session={HALF}"}):
        account = await http.get("/account", headers=headers)
        called = await http.get("/api/users/me", headers=headers)
        assert account.headers["location"] == "/login?return_to=%2Faccount"
        assert called.status_code == 401
    bearer = await http.get("/api/users/me", headers={"authorization": f"Bearer {HALF}"})
    assert bearer.status_code == 401
    tried = [call for call in people.world.bus.calls[asked:] if isinstance(call, CheckSession)]
    assert {call.token for call in tried} <= {HALF}


async def test_a_wrong_code(http: httpx.AsyncClient, people: People) -> None:
    """The sentence stands beside the field that the form has, and says what to do."""
    await half(http, people)
    wrong = await post(http, PAGE, code="111111")
    assert wrong.status_code == 422
    assert "This code is wrong or was already used." in wrong.text
    recovery = await post(http, PAGE, recovery_code="abc", use="recovery")
    assert recovery.status_code == 422
    assert 'id="recovery_code-error"' in recovery.text
    assert "Use your authenticator app instead" in recovery.text


async def test_too_many_wrong_codes(
    http: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how long to wait, with the status and the header for it."""

    def limited(request: Any) -> None:
        raise RateLimited(retry_after=3000)

    await half(http, people)
    monkeypatch.setattr(factor_people, "check", limited)
    answer = await post(http, PAGE, code="111111")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3000")
    assert "Too many attempts. Try again in 50 minutes." in answer.text


async def test_a_sign_in_that_has_ended(http: httpx.AsyncClient, people: People) -> None:
    """The page leads to a new sign-in and deletes the cookie. Without a cookie it only leads
    there."""
    await half(http, people)
    people.challenge = None
    shown = await http.get(f"{PAGE}?return_to=/account")
    assert shown.status_code == 410
    assert "/login?return_to=%2Faccount" in shown.text
    assert any(one.startswith('aero2_half=""') for one in cookies(shown))
    without = await http.get(PAGE)
    assert without.headers["location"] == "/login"
    posted = await post(http, PAGE, "/login", code=TOTP_CODE)
    assert posted.status_code == 410
    assert calls(people, CompleteSignIn) == 0


async def test_cancelling(http: httpx.AsyncClient, people: People) -> None:
    """Cancelling ends the half session, and leads back to the sign-in page."""
    await half(http, people)
    left = await post(http, f"{PAGE}/cancel", PAGE, return_to="/account")
    assert left.headers["location"] == "/login?return_to=%2Faccount"
    assert last(people, CancelSignIn).token == HALF
    assert any(one.startswith('aero2_half=""') for one in cookies(left))


async def test_a_recovery_code(http: httpx.AsyncClient, people: People) -> None:
    """The page offers the recovery code, and its form sends that alone."""
    await half(http, people)
    page = await http.get(f"{PAGE}?use=recovery")
    assert 'name="recovery_code"' in page.text
    assert 'name="code"' not in page.text
    done = await post(http, PAGE, f"{PAGE}?use=recovery", recovery_code=RECOVERY[0])
    assert done.headers["location"] == "/account"
    sent = last(people, CompleteSignIn)
    assert (sent.code, sent.recovery_code) == (None, RECOVERY[0])


async def test_a_remembered_device_has_a_cookie_of_its_user(
    http: httpx.AsyncClient, people: People
) -> None:
    """The cookie lives for the days of the setting and does not name the user. The next sign-ins send
    its value, by page and by JSON."""
    await half(http, people)
    done = await post(http, PAGE, code=TOTP_CODE, remember_device="1")
    (cookie,) = [one for one in cookies(done) if one.startswith("aero2_device_")]
    assert f"={'d' * 43}; " in cookie
    assert "Max-Age=2592000" in cookie
    assert "HttpOnly" in cookie
    session = next(iter(people.world.sessions.values()))
    assert session.user_id not in cookie
    http.cookies.delete("aero2_session")
    await by_password(http, people)
    assert last(people, SignInWithPassword).devices == ["d" * 43]
    body = {"email": EMAIL, "password": PASSWORD}
    await http.post("/api/auth/signin", json=body, headers=ORIGIN)
    assert last(people, SignInWithPassword).devices == ["d" * 43]


async def test_five_devices_at_most(http: httpx.AsyncClient, people: People) -> None:
    """A sixth user of a browser takes the place of the oldest. What a browser sends beyond five, or
    too long, is left out."""
    for number in range(7):
        http.cookies.set(f"aero2_device_{number}", f"device-{number}", domain="demo.localhost")
    http.cookies.set("aero2_device_x", "x" * 300, domain="demo.localhost")
    await half(http, people)
    sent = last(people, SignInWithPassword).devices
    assert len(sent) == 5
    assert all(len(value) < 200 for value in sent)
    done = await post(http, PAGE, code=TOTP_CODE, remember_device="1")
    ended = [one for one in cookies(done) if one.startswith("aero2_device_") and "Max-Age=0" in one]
    assert len(ended) == 4


async def test_no_choice_where_no_device_is_remembered(
    http: httpx.AsyncClient, people: People, app: Tenant, world: FakeServices
) -> None:
    """With 0 days there is no checkbox."""
    change_settings(world, app, mfa_policy="optional", mfa_remember_device_days=0)
    await half(http, people)
    assert "remember_device" not in (await http.get(PAGE)).text


async def test_enrolling_at_sign_in(http: httpx.AsyncClient, people: People) -> None:
    """The page shows the QR code and the secret. The first code sets the session's cookie, shows the
    recovery codes once, and leads on to where the user was going."""
    people.challenge = factor_people.challenge("mfa_setup_required")
    first = await by_password(http, people, return_to="/account/data")
    assert first.headers["location"] == "/mfa-setup?return_to=%2Faccount%2Fdata"
    page = await http.get(first.headers["location"])
    assert "<svg" in page.text
    assert "LJNF UWS2 LJNF" in page.text
    assert (await http.get(PAGE)).headers["location"] == "/mfa-setup"
    wrong = await post(http, "/mfa-setup", code="111111")
    assert wrong.status_code == 422
    assert "LJNF UWS2 LJNF" in wrong.text
    done = await post(http, "/mfa-setup", code=TOTP_CODE, return_to="/account/data")

    assert any(one.startswith("aero2_session=tok") for one in cookies(done))
    assert all(code in done.text for code in RECOVERY)
    assert 'href="/account/data"' in done.text
    file = done.text.partition("base64,")[2].partition('"')[0]
    text = b64decode(file).decode()
    assert all(code in text for code in RECOVERY)
    assert (await http.get("/account")).status_code == 200


async def test_turning_on_in_the_account(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The app is set up in the account. The recovery codes are shown in the new session."""
    await signed_in(http, world, app)
    assert "Set up an authenticator app" in (await http.get("/account/two-step")).text
    page = await http.get("/account/two-step/app")
    assert "<svg" in page.text
    wrong = await post(http, "/account/two-step/app", code="1")
    assert wrong.status_code == 422
    done = await post(http, "/account/two-step/app", code=TOTP_CODE)

    assert last(people, ConfirmTotp).code == TOTP_CODE
    assert any(one.startswith("aero2_session=tok") for one in cookies(done))
    assert all(code in done.text for code in RECOVERY)
    assert "9 recovery codes" in (await http.get("/account/two-step")).text


async def test_changes_in_the_account(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """The app is turned off, codes are replaced, and a device is ended. Without a fresh sign-in each
    asks for one first and comes back."""
    people.has_totp = True
    await signed_in(http, world, app)
    people.fresh = False
    for action in ("codes", "off"):
        asked = await post(http, "/account/two-step", action=action)
        assert asked.headers["location"] == "/login/confirm?return_to=%2Faccount%2Ftwo-step"
    people.fresh = True
    codes = await post(http, "/account/two-step", action="codes")
    assert RECOVERY[9] in codes.text
    ended = await post(http, "/account/devices", device_id=DEVICE)
    assert ended.headers["location"] == "/account/devices?done=forgotten"
    again = await post(http, "/account/devices", device_id=DEVICE.replace("dd", "ee"))
    assert again.status_code == 422
    off = await post(http, "/account/two-step", action="off")

    assert off.headers["location"] == "/account/two-step?done=two_step_off"
    assert (calls(people, RegenerateRecoveryCodes), calls(people, RemoveTotp)) == (2, 2)
    assert calls(people, RevokeDevice) == 2


async def test_another_site_changes_nothing(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """A form without the token of this browser changes no factor and completes no sign-in."""
    await half(http, people)
    await signed_in(http, world, app)
    for path, fields in (
        (PAGE, {"code": TOTP_CODE}),
        ("/account/two-step", {"action": "off"}),
        ("/account/two-step/app", {"code": TOTP_CODE}),
    ):
        answer = await http.post(path, data=fields, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
    for kind in (CompleteSignIn, RemoveTotp, ConfirmTotp):
        assert calls(people, kind) == 0


async def test_the_calls(http: httpx.AsyncClient, people: People) -> None:
    """By JSON: the challenge, a wrong code, the right one, and no token in any answer."""
    people.challenge = factor_people.challenge()
    body = {"email": EMAIL, "password": PASSWORD}
    first = await http.post("/api/auth/signin", json=body, headers=ORIGIN)
    assert (first.json()["session"], first.json()["challenge"]["kind"]) == (None, "mfa_required")
    assert HALF not in first.text
    shown = await http.get("/api/auth/second-factor")
    assert shown.json()["factors"] == ["totp", "recovery_code"]
    wrong = await http.post("/api/auth/second-factor", json={"code": "1"}, headers=ORIGIN)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_factor_code")
    proof = {"code": TOTP_CODE, "remember_device": True}
    done = await http.post("/api/auth/second-factor", json=proof, headers=ORIGIN)
    assert done.status_code == 200
    assert done.json()["session"]["email"] == EMAIL
    assert "token" not in done.json()
    assert "d" * 43 not in done.text
    assert any(one.startswith("aero2_device_") for one in cookies(done))
    gone = await http.get("/api/auth/second-factor")
    assert (gone.status_code, gone.json()["code"]) == (401, "no_session")
    mine = (await http.get("/api/users/me/mfa")).json()
    assert mine["recovery_codes_left"] == 0


async def test_enrolling_by_json(http: httpx.AsyncClient, people: People) -> None:
    """The setup and the first code, at a sign-in and in a session."""
    people.challenge = factor_people.challenge("mfa_setup_required")
    body = {"email": EMAIL, "password": PASSWORD}
    await http.post("/api/auth/signin", json=body, headers=ORIGIN)
    setup = await http.post("/api/auth/second-factor/totp/setup", headers=ORIGIN)
    assert {"secret", "otpauth_uri", "qr_code_data_url"} <= set(setup.json())
    path = "/api/auth/second-factor/totp/verify"
    done = await http.post(path, json={"code": TOTP_CODE}, headers=ORIGIN)
    assert done.json()["recovery_codes"] == RECOVERY
    assert "token" not in done.json()["signed_in"]
    again = await http.post("/api/users/me/mfa/totp/setup", headers=ORIGIN)
    assert again.status_code == 200
    path = "/api/users/me/mfa/totp/verify"
    done = await http.post(path, json={"code": TOTP_CODE}, headers=ORIGIN)
    assert "token" not in done.json()["signed_in"]
    off = await http.delete("/api/users/me/mfa/totp", headers=ORIGIN)
    assert off.status_code == 200


async def test_administrators_reset_factors(
    http: httpx.AsyncClient, people: People, world: FakeServices, app: Tenant
) -> None:
    """`DELETE /api/users/{id}/mfa` names the user of its path."""
    asked: list[Any] = []

    async def reset(deps: Any, ctx: Any, request: ResetSecondFactors) -> Any:
        asked.append(request)
        return request.reply()

    world.bus.serve(None, {ResetSecondFactors: reset})
    world.key(app, "sk_live_a")
    headers = {"authorization": "Bearer sk_live_a"}
    answer = await http.delete(f"/api/users/{DEVICE}/mfa", headers=headers)
    assert answer.status_code == 200
    assert [request.user_id for request in asked] == [DEVICE]
