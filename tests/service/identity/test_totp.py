"""Authenticator apps: setup, codes, and what ends with a change of factors."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.kit.callers import PASSWORD, as_user, now
from tests.kit.second_factors import (
    AuthenticatorApp,
    complete,
    forget_steps,
    turn_on_totp,
    two_step_user,
)
from tests.kit.world import World

from common import acr
from common.contracts.base import Request
from common.contracts.passkeys import RemovePasskey
from common.contracts.second_factors import (
    CompleteSignIn,
    ConfirmFactor,
    ConfirmTotp,
    GetSecondFactors,
    LastSecondFactor,
    NoSecondFactor,
    RegenerateRecoveryCodes,
    RemoveTotp,
    SecondFactorsOff,
    SetUpTotp,
    TotpNotFound,
    TotpSetupMissing,
    WrongFactorCode,
)
from common.contracts.sessions import FreshSignInNeeded, NoSession, SignedInSession
from common.ids import new_id
from common.problems import RateLimited


async def set_up(world: World, signed: SignedInSession) -> AuthenticatorApp:
    """Creates a secret in this session. Returns the app that has scanned it."""
    return AuthenticatorApp((await world.call(SetUpTotp(), as_user(signed))).secret)


async def test_turning_on_gives_two_factors_and_ten_codes(world: World) -> None:
    """The first code turns the app on. The session is replaced by one with two factors, there are ten
    recovery codes, the user gets a mail, and the log has the event."""
    world.configure(world.app_id, mfa_policy="optional")
    signed = await world.sign_in(await world.user())
    app = await set_up(world, signed)
    done = await world.call(ConfirmTotp(code=app.code()), as_user(signed))

    assert done.recovery_codes is not None
    assert len(done.recovery_codes) == 10
    assert done.signed_in is not None
    session = await world.live_session(done.signed_in.token)
    assert session is not None
    assert (session.acr, session.amr) == (acr.TWO_FACTORS, ["pwd", "otp", "mfa"])
    assert set(session.factor_times) == {"password", "totp"}
    assert await world.live_session(signed.token) is None
    assert (await world.mail()).kind == "totp_enabled"
    assert "totp_enabled" in await world.event_types()
    listed = await world.call(GetSecondFactors(), as_user(done.signed_in))
    assert listed.totp is not None
    assert listed.recovery_codes_left == 10


async def test_the_secret_is_for_every_app(world: World) -> None:
    """The secret has 20 bytes. The URI has no colon in a name, and the issuer as label and as
    parameter. The QR code is an SVG without scripts."""
    world.configure(world.app_id, mfa_policy="optional")
    await world.owner.execute("UPDATE applications SET name = 'A: B' WHERE id = $1", world.app_id)
    signed = await world.sign_in(await world.user())
    setup = await world.call(SetUpTotp(), as_user(signed))

    assert len(setup.secret) == 32
    parts = urlsplit(setup.otpauth_uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    issuer, colon, account = unquote(parts.path.removeprefix("/")).partition(":")
    query = parse_qs(parts.query)
    assert colon
    assert ":" not in account
    assert query["issuer"] == [issuer]
    assert query["secret"] == [setup.secret]
    assert setup.qr_code_svg.startswith("<svg")
    assert "script" not in setup.qr_code_svg
    assert setup.qr_code_data_url.startswith("data:image/svg+xml")


async def test_the_secret_is_sealed_and_never_logged(world: World) -> None:
    """Neither the database nor the log contains the secret, and no reply prints it."""
    world.configure(world.app_id, mfa_policy="optional")
    signed = await world.sign_in(await world.user())
    setup = await world.call(SetUpTotp(), as_user(signed))

    rows = await world.owner.fetch("SELECT totp_factors::text AS text FROM totp_factors")
    logged = await world.owner.fetch("SELECT event_data::text AS text FROM audit_logs")
    assert all(setup.secret not in row["text"] for row in [*rows, *logged])
    assert setup.secret not in repr(setup)


async def test_changes_of_factors_are_limited(world: World) -> None:
    """Nearly every change sends a mail. After sixty in an hour the user waits, and others do not."""
    person = await two_step_user(world)
    await world.owner.execute(
        "UPDATE rate_limits SET hits = 60 WHERE app_id = $1 AND key LIKE 'factor_change_user:%'",
        world.app_id,
    )
    for request in (
        SetUpTotp(),
        RegenerateRecoveryCodes(),
        RemoveTotp(),
        RemovePasskey(passkey_id=new_id()),
    ):
        problem = await world.refused(request, as_user(person.signed))
        assert isinstance(problem, RateLimited), request
    other = await two_step_user(world)
    await world.call(RegenerateRecoveryCodes(), as_user(other.signed))


async def test_a_secret_belongs_to_the_session_that_created_it(world: World) -> None:
    """The setup page shows the same secret again in its session. Another session of the user gets a
    secret of its own, and the first one can then no longer be confirmed."""
    world.configure(world.app_id, mfa_policy="optional")
    user = await world.user()
    one, other = await world.sign_in(user), await world.sign_in(user)
    first = await set_up(world, one)

    assert await set_up(world, one) == first
    assert await set_up(world, other) != first
    problem = await world.refused(ConfirmTotp(code=first.code()), as_user(one))
    assert isinstance(problem, TotpSetupMissing)


async def test_the_old_app_works_until_the_new_one_is_confirmed(world: World) -> None:
    """A setup that is left open changes nothing. Its secret opens nothing either. Once it is
    confirmed, only the new secret works, and the recovery codes stay."""
    person = await two_step_user(world)
    new = await set_up(world, person.signed)
    half = await world.sign_in(person.user)
    problem = await world.refused(CompleteSignIn(token=half.token, code=new.code()))
    assert isinstance(problem, WrongFactorCode)
    assert (await complete(world, half, person.app.code())).session is not None

    done = await world.call(ConfirmTotp(code=new.code()), as_user(person.signed))
    await forget_steps(world)
    assert done.recovery_codes is None
    half = await world.sign_in(person.user)
    problem = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
    assert isinstance(problem, WrongFactorCode)
    assert (await complete(world, half, new.code())).session is not None


@pytest.mark.fault("F27")
async def test_a_code_works_once_over_all_replicas(world: World) -> None:
    """The code that confirmed the app, or completed one sign-in, is wrong for the next. Of twenty
    simultaneous sign-ins with one code, one succeeds."""
    person = await two_step_user(world)
    code = person.app.code()
    halves = [await world.sign_in(person.user) for _ in range(20)]
    object.__setattr__(world.identity.limits, "scale", 0.0)
    try:
        outcomes = await asyncio.gather(
            *(world.call(CompleteSignIn(token=half.token, code=code)) for half in halves),
            return_exceptions=True,
        )
    finally:
        object.__setattr__(world.identity.limits, "scale", 1.0)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert sum(isinstance(one, WrongFactorCode) for one in outcomes) == 19


async def test_an_older_code_does_not_work_after_a_newer_one(world: World) -> None:
    """The code of the next step is accepted. After it, the code of the current step is not."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    await world.call(CompleteSignIn(token=half.token, code=person.app.code(1)))
    half = await world.sign_in(person.user)

    problem = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
    assert isinstance(problem, WrongFactorCode)


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_one_step_of_clock_skew_is_accepted(world: World, steps: int) -> None:
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    assert (await complete(world, half, person.app.code(steps))).session is not None


async def test_other_codes_are_wrong(world: World) -> None:
    """Codes of three steps away, digits of other scripts, seven digits and nothing are wrong. Spaces
    and hyphens do not count."""
    person = await two_step_user(world)
    code = person.app.code()
    fullwidth = "".join(chr(0xFF10 + int(digit)) for digit in code)
    half = await world.sign_in(person.user)
    for wrong in (person.app.code(-3), fullwidth, f"{code}0", ""):
        problem = await world.refused(CompleteSignIn(token=half.token, code=wrong))
        assert isinstance(problem, WrongFactorCode), wrong
    done = await complete(world, half, f" {code[:3]} {code[3]}-{code[4:]} ")
    assert done.session is not None


async def test_policy_off_refuses_setup_and_asks_nothing(world: World) -> None:
    """With the policy `off` nobody can turn an app on. An app from before is not asked for, and can
    be removed."""
    person = await two_step_user(world)
    world.configure(world.app_id, mfa_policy="off")

    signed = await world.sign_in(person.user)
    assert signed.session is not None
    caller = as_user(signed, two_factors=False, proven_at=now())
    for request in (SetUpTotp(), ConfirmTotp(code="123456")):
        assert isinstance(await world.refused(request, caller), SecondFactorsOff)
    await world.call(RemoveTotp(), caller)


@pytest.mark.parametrize(
    "request_",
    [SetUpTotp(), ConfirmTotp(code="123456"), RemoveTotp(), RegenerateRecoveryCodes()],
    ids=lambda one: type(one).__name__,
)
async def test_changes_need_a_fresh_sign_in(world: World, request_: Request) -> None:  # type: ignore[type-arg]
    """An hour after the sign-in, no factor can be changed, and nothing is changed."""
    person = await two_step_user(world)
    stale = as_user(person.signed, proven_at=now() - 3600)
    before = await world.row_digests(world.app_id)

    assert isinstance(await world.refused(request_, stale), FreshSignInNeeded)
    assert await world.row_digests(world.app_id) == before


async def test_turning_off(world: World) -> None:
    """Without the app, the recovery codes are gone, a sign-in asks for nothing, and there is a mail
    and an event. A second time there is nothing to turn off."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    await world.call(RemoveTotp(), as_user(person.signed))

    assert (await world.mail()).kind == "totp_disabled"
    assert "totp_disabled" in await world.event_types()
    listed = await world.call(GetSecondFactors(), as_user(person.signed))
    assert (listed.totp, listed.recovery_codes_left) == (None, 0)
    assert (await world.sign_in(person.user)).session is not None
    ended = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
    assert isinstance(ended, NoSession)
    assert isinstance(await world.refused(RemoveTotp(), as_user(person.signed)), TotpNotFound)
    problem = await world.refused(RegenerateRecoveryCodes(), as_user(person.signed))
    assert isinstance(problem, NoSecondFactor)


async def test_the_last_factor_stays_if_one_is_required(world: World) -> None:
    """If the application requires a second factor, its users cannot remove their last one."""
    person = await two_step_user(world)
    world.configure(world.app_id, mfa_policy="required")

    problem = await world.refused(RemoveTotp(), as_user(person.signed))
    assert isinstance(problem, LastSecondFactor)
    assert (await world.sign_in(person.user)).session is None


async def test_new_recovery_codes(world: World) -> None:
    """New codes replace the old ones, with a mail and an event."""
    person = await two_step_user(world)
    new = await world.call(RegenerateRecoveryCodes(), as_user(person.signed))

    assert not set(new.recovery_codes) & set(person.codes)
    assert (await world.mail()).kind == "recovery_codes_changed"
    assert "recovery_codes_created" in await world.event_types()
    half = await world.sign_in(person.user)
    old = CompleteSignIn(token=half.token, recovery_code=person.codes[0])
    assert isinstance(await world.refused(old), WrongFactorCode)
    await world.call(CompleteSignIn(token=half.token, recovery_code=new.recovery_codes[0]))


async def test_a_factor_is_shown_in_a_session(world: World) -> None:
    """A code confirms the user in a session that has one factor. The session is replaced, and then has
    both. A wrong code changes nothing."""
    world.configure(world.app_id, mfa_policy="optional")
    user = await world.user()
    signed = await world.sign_in(user)
    person = await turn_on_totp(world, user)
    stale = as_user(signed, proven_at=now() - 3600)

    wrong = ConfirmFactor(code=person.app.wrong_code())
    assert isinstance(await world.refused(wrong, stale), WrongFactorCode)
    assert await world.live_session(signed.token) is not None
    confirmed = await world.call(ConfirmFactor(code=person.app.code()), stale)
    assert confirmed.full().acr == acr.TWO_FACTORS
    assert confirmed.full().amr == ["pwd", "otp", "mfa"]
    assert await world.live_session(signed.token) is None


async def test_another_users_code_is_wrong(world: World) -> None:
    """A code and a recovery code prove their own user only."""
    person, stranger = await two_step_user(world), await two_step_user(world)
    half = await world.sign_in(stranger.user)

    for request in (
        CompleteSignIn(token=half.token, code=person.app.code()),
        CompleteSignIn(token=half.token, recovery_code=person.codes[0]),
    ):
        assert isinstance(await world.refused(request), WrongFactorCode)
    assert PASSWORD not in repr(half)
