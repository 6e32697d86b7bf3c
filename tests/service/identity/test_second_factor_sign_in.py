"""Sign-ins that wait for a second factor: limits, recovery codes, enrolment, and their end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.second_factors import AuthenticatorApp, TwoStepUser, complete, two_step_user
from tests.kit.world import World

from common import acr
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.passwords import ChangePassword, ResetPassword, StartReset
from common.contracts.second_factors import (
    CancelSignIn,
    CompleteSignIn,
    ConfirmFactor,
    ConfirmTotpAtSignIn,
    FactorNeeded,
    GetSecondFactorChallenge,
    GetSecondFactors,
    ResetSecondFactors,
    SetUpTotpAtSignIn,
    WrongFactorCode,
)
from common.contracts.sessions import (
    CheckSession,
    NoSession,
    RevokeAllSessions,
    SignedInSession,
    SignOut,
)
from common.contracts.users import DisableUser, UserNotFound
from common.problems import Forbidden, Invalid, RateLimited


async def failures(world: World, person: TwoStepUser) -> list[str]:
    """Returns the methods of the user's failed sign-ins in the log."""
    events = await world.events(user_id=person.user.id)
    return [data["method"] for kind, data in events if kind == "login_failed"]


async def test_a_challenge_names_the_factors(world: World) -> None:
    """The first factor starts no session. The challenge names what the user has, the app first."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    challenge = await world.call(GetSecondFactorChallenge(token=half.token))

    assert half.session is None
    assert half.challenge == challenge
    assert (challenge.kind, challenge.factors) == ("mfa_required", ["totp", "recovery_code"])
    assert challenge.email == person.user.email


async def test_five_wrong_codes_end_the_sign_in(world: World) -> None:
    """After five wrong codes the sixth, right one is refused. Each wrong one is audited. The password
    stays open: a new sign-in works at once."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    wrong = CompleteSignIn(token=half.token, code=person.app.wrong_code())
    for _ in range(5):
        assert isinstance(await world.refused(wrong), WrongFactorCode)

    right = CompleteSignIn(token=half.token, code=person.app.code())
    assert isinstance(await world.refused(right), NoSession)
    assert await failures(world, person) == ["totp"] * 5
    half = await world.sign_in(person.user)
    assert (await complete(world, half, person.app.code())).session is not None


async def test_guesses_at_once_stay_within_the_limit(world: World) -> None:
    """Of thirty simultaneous guesses at one sign-in, at most five are checked."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    guesses = [CompleteSignIn(token=half.token, code=person.app.wrong_code()) for _ in range(30)]
    outcomes = await asyncio.gather(*(world.refused(guess) for guess in guesses))

    assert sum(isinstance(one, WrongFactorCode) for one in outcomes) <= 5
    assert all(isinstance(one, WrongFactorCode | NoSession | RateLimited) for one in outcomes)


async def test_ten_wrong_codes_an_hour_over_all_factors(world: World) -> None:
    """Ten wrong codes of an app and recovery codes together, in sign-ins and in sessions, and the
    user waits. The first factor still starts a sign-in, and other users do not wait."""
    person, other = await two_step_user(world), await two_step_user(world)
    for number in range(4):
        half = await world.sign_in(person.user)
        wrong = CompleteSignIn(token=half.token, code=person.app.wrong_code())
        wrong_recovery = CompleteSignIn(token=half.token, recovery_code=f"wrong {number}")
        await world.refused(wrong)
        await world.refused(wrong_recovery)
    for _ in range(2):
        problem = await world.refused(
            ConfirmFactor(code=person.app.wrong_code()), as_user(person.signed)
        )
        assert isinstance(problem, WrongFactorCode)

    half = await world.sign_in(person.user)
    assert half.challenge is not None
    limited = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
    assert isinstance(limited, RateLimited)
    assert limited.extra["retry_after"] > 3000
    half = await world.sign_in(other.user)
    assert (await complete(world, half, other.app.code())).session is not None


async def test_right_codes_are_not_counted(world: World) -> None:
    """Twelve sign-ins within an hour succeed."""
    person = await two_step_user(world)
    for _ in range(12):
        half = await world.sign_in(person.user)
        assert (await complete(world, half, person.app.code())).session is not None


async def test_a_recovery_code_signs_in_once(world: World) -> None:
    """A recovery code completes the sign-in once, with a mail and an event. The session has two
    factors, and `otp` as method."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    done = await world.call(CompleteSignIn(token=half.token, recovery_code=person.codes[0]))

    session = done.signed_in.full()
    assert (session.acr, session.amr) == (acr.TWO_FACTORS, ["pwd", "otp", "mfa"])
    assert set(session.factor_times) == {"password", "recovery_code"}
    letter = await world.mail()
    assert (letter.kind, letter.data["left"]) == ("recovery_code_used", "9")
    assert "recovery_code_used" in await world.event_types()
    half = await world.sign_in(person.user)
    again = CompleteSignIn(token=half.token, recovery_code=person.codes[0])
    assert isinstance(await world.refused(again), WrongFactorCode)
    assert await failures(world, person) == ["recovery_code"]


async def test_one_recovery_code_thirty_times_at_once(world: World) -> None:
    """Of thirty simultaneous sign-ins with one recovery code, one succeeds."""
    person = await two_step_user(world)
    object.__setattr__(world.identity.limits, "scale", 0.0)
    try:
        halves = [await world.sign_in(person.user) for _ in range(30)]
        outcomes = await asyncio.gather(
            *(
                world.call(CompleteSignIn(token=half.token, recovery_code=person.codes[0]))
                for half in halves
            ),
            return_exceptions=True,
        )
    finally:
        object.__setattr__(world.identity.limits, "scale", 1.0)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
    assert sum(isinstance(one, WrongFactorCode) for one in outcomes) == 29
    assert [letter.kind for letter in await world.mails()].count("recovery_code_used") == 1


@pytest.mark.parametrize("fields", [{}, {"code": "123456", "recovery_code": "abc"}])
async def test_exactly_one_proof_is_needed(world: World, fields: dict[str, Any]) -> None:
    """Neither or both of the two codes are refused, and count for nothing."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    for _ in range(6):
        problem = await world.refused(CompleteSignIn(token=half.token, **fields))
        assert type(problem) is Invalid
    assert (await complete(world, half, person.app.code())).session is not None


async def test_a_half_session_is_no_session(world: World) -> None:
    """Its token is refused as the token of a session. A session's token completes nothing. Signing
    out with it ends nothing."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)

    assert isinstance(await world.refused(CheckSession(token=half.token)), NoSession)
    await world.call(SignOut(token=half.token))
    for request in (
        GetSecondFactorChallenge(token=person.signed.token),
        CompleteSignIn(token=person.signed.token, code=person.app.code()),
        SetUpTotpAtSignIn(token=person.signed.token),
    ):
        assert isinstance(await world.refused(request), NoSession)
    assert (await complete(world, half, person.app.code())).session is not None


async def test_a_half_session_ends(world: World) -> None:
    """It ends with its use, its cancellation, ten minutes, the end of all sessions, a new password, and
    the user's account."""
    person = await two_step_user(world)

    async def ended(half: SignedInSession) -> bool:
        problem = await world.refused(CompleteSignIn(token=half.token, code=person.app.code()))
        return isinstance(problem, NoSession)

    used = await world.sign_in(person.user)
    signed = await complete(world, used, person.app.code())
    assert await ended(used)
    cancelled = await world.sign_in(person.user)
    await world.call(CancelSignIn(token=cancelled.token))
    assert await ended(cancelled)
    old = await world.sign_in(person.user)
    await world.owner.execute(
        "UPDATE user_sessions SET expires_at = now() WHERE kind <> 'full' AND app_id = $1",
        world.app_id,
    )
    assert await ended(old)
    open_ = await world.sign_in(person.user)
    await world.call(RevokeAllSessions(), as_user(signed))
    assert await ended(open_)
    before = await world.sign_in(person.user)
    signed = await complete(world, await world.sign_in(person.user), person.app.code())
    change = ChangePassword(current=PASSWORD, password="a new and better phrase")
    await world.call(change, as_user(signed))
    assert await ended(before)
    last = await world.sign_in(person.user, password="a new and better phrase")
    await world.call(DisableUser(user_id=person.user.id), ADMIN)
    assert await ended(last)


async def test_a_form_that_was_posted_twice_completes_once(world: World) -> None:
    """Two posts of one code from one browser get the same session. Another browser, and another code,
    get none."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    post = CompleteSignIn(token=half.token, code=person.app.code(), browser="b" * 32)
    first, second = await asyncio.gather(world.call(post), world.call(post))
    third = await world.call(post)

    assert first.signed_in.token == second.signed_in.token == third.signed_in.token
    for other in ({"browser": "c" * 32}, {"code": person.app.code(1)}):
        problem = await world.refused(post.model_copy(update=other))
        assert isinstance(problem, NoSession)


async def test_a_form_of_another_sign_in_starts_a_half_session_of_its_own(world: World) -> None:
    """The same form, posted again after its sign-in has ended or for another user, starts a new half
    session."""
    person, other = await two_step_user(world), await two_step_user(world)
    form: dict[str, Any] = {"browser": "b" * 32, "idempotency_key": "one form"}
    first = await world.sign_in(person.user, **form)
    assert (await world.sign_in(person.user, **form)).token == first.token
    of_other = await world.sign_in(other.user, **form)
    assert of_other.token != first.token
    assert of_other.challenge is not None
    assert of_other.challenge.email == other.user.email
    await world.call(CancelSignIn(token=first.token))
    again = await world.sign_in(person.user, **form)

    assert again.token != first.token
    assert (await complete(world, again, person.app.code())).session is not None


async def test_a_mailed_code_asks_for_the_app(world: World) -> None:
    """Neither a mailed code nor a link nor a new password by mail replaces the second factor, also in
    the browser that signed in before."""
    person = await two_step_user(world)
    email = person.user.email or ""
    flow = await world.call(StartEmailCode(email=email, browser="b" * 32))
    letter = await world.mail()
    halves = [await world.call(SignInWithCode(flow=flow.flow, code=letter.code))]
    flow = await world.call(StartEmailCode(email=email, browser="b" * 32))
    link = SignInWithLink(token=(await world.mail()).token, browser="b" * 32)
    halves.append(await world.call(link))
    for half in halves:
        assert half.session is None
        assert (await complete(world, half, person.app.code())).full().acr == acr.TWO_FACTORS
    flow = await world.call(StartReset(email=email, browser="b" * 32))
    reset = ResetPassword(
        token=(await world.mail()).token, browser="b" * 32, password="a new and better phrase"
    )
    half = await world.call(reset)
    assert half.session is None
    assert (await complete(world, half, person.app.code())).session is not None


async def test_a_factor_in_one_flow_is_not_for_another(world: World) -> None:
    """The second factor that completed one reset completes no other: its code is used, and each sign-in
    has a token of its own."""
    person = await two_step_user(world)
    email, halves = person.user.email or "", []
    for number in (1, 2):
        await world.call(StartReset(email=email, browser="b" * 32))
        request = ResetPassword(
            token=(await world.mail()).token,
            browser="b" * 32,
            password=f"a new and better phrase {number}",
        )
        halves.append(await world.call(request))
    code = person.app.code()

    first = await world.refused(CompleteSignIn(token=halves[0].token, code=code))
    assert isinstance(first, NoSession)
    await world.call(CompleteSignIn(token=halves[1].token, code=code))
    third = await world.sign_in(person.user, password="a new and better phrase 2")
    problem = await world.refused(CompleteSignIn(token=third.token, code=code))
    assert isinstance(problem, WrongFactorCode)


async def test_a_required_factor_is_enrolled_at_sign_in(world: World) -> None:
    """A user without a factor gets a restricted session. The first code of an app makes it a session
    with two factors, and shows the recovery codes."""
    world.configure(world.app_id, mfa_policy="required")
    user = await world.user()
    half = await world.sign_in(user)
    assert half.challenge is not None
    assert (half.challenge.kind, half.challenge.factors) == ("mfa_setup_required", [])
    setup = await world.call(SetUpTotpAtSignIn(token=half.token))
    assert await world.call(SetUpTotpAtSignIn(token=half.token)) == setup
    code = AuthenticatorApp(setup.secret).code()
    done = await world.call(ConfirmTotpAtSignIn(token=half.token, code=code))

    assert done.signed_in is not None
    assert done.recovery_codes is not None
    session = await world.live_session(done.signed_in.token)
    assert session is not None
    assert session.acr == acr.TWO_FACTORS
    again = await world.refused(ConfirmTotpAtSignIn(token=half.token, code=code))
    assert isinstance(again, NoSession)
    assert (await world.sign_in(user)).challenge is not None


async def test_an_enrolment_that_was_left_stays_required(world: World) -> None:
    """A secret that was never confirmed is no factor: the next sign-in requires the enrolment again. It
    works nowhere, and wrong codes start no session."""
    world.configure(world.app_id, mfa_policy="required")
    user = await world.user()
    first = await world.sign_in(user)
    app = AuthenticatorApp((await world.call(SetUpTotpAtSignIn(token=first.token))).secret)
    wrong = ConfirmTotpAtSignIn(token=first.token, code=app.wrong_code())
    assert isinstance(await world.refused(wrong), WrongFactorCode)
    second = await world.sign_in(user)

    assert second.challenge is not None
    assert second.challenge.kind == "mfa_setup_required"
    problem = await world.refused(CompleteSignIn(token=second.token, code=app.code()))
    assert isinstance(problem, FactorNeeded)
    assert isinstance(await world.refused(CheckSession(token=second.token)), NoSession)


async def test_a_user_with_a_factor_enrols_none_before_showing_it(world: World) -> None:
    """A sign-in that waits for a factor cannot add one, under each policy."""
    person = await two_step_user(world)
    for policy in ("optional", "required"):
        world.configure(world.app_id, mfa_policy=policy)
        half = await world.sign_in(person.user)
        for request in (
            SetUpTotpAtSignIn(token=half.token),
            ConfirmTotpAtSignIn(token=half.token, code=person.app.code()),
        ):
            problem = await world.refused(request)
            assert isinstance(problem, FactorNeeded)
            assert problem.status == 403


async def test_an_enrolment_in_another_tab_ends_this_one(world: World) -> None:
    """If the user has enrolled a factor meanwhile, an older restricted session enrols none."""
    world.configure(world.app_id, mfa_policy="required")
    user = await world.user()
    one, other = await world.sign_in(user), await world.sign_in(user)
    app = AuthenticatorApp((await world.call(SetUpTotpAtSignIn(token=one.token))).secret)
    await world.call(ConfirmTotpAtSignIn(token=one.token, code=app.code()))

    assert isinstance(await world.refused(SetUpTotpAtSignIn(token=other.token)), NoSession)


async def test_an_administrator_resets_the_factors(world: World) -> None:
    """The factors, devices and open sign-ins end. The user gets a mail, and signs in with the
    password alone. The log names the administrator's call."""
    person = await two_step_user(world)
    half = await world.sign_in(person.user)
    device = await world.call(
        CompleteSignIn(token=half.token, code=person.app.code(), remember_device=True)
    )
    open_ = await world.sign_in(person.user)
    await world.call(ResetSecondFactors(user_id=person.user.id), ADMIN)

    assert device.device is not None
    assert (await world.mail()).kind == "factors_reset"
    events = [data for kind, data in await world.events() if kind == "second_factors_reset"]
    assert events == [{"user_id": person.user.id}]
    ended = await world.refused(CompleteSignIn(token=open_.token, code=person.app.code()))
    assert isinstance(ended, NoSession)
    signed = await world.sign_in(person.user)
    listed = await world.call(GetSecondFactors(), as_user(signed))
    assert (listed.totp, listed.recovery_codes_left, listed.devices) == (None, 0, [])


async def test_users_cannot_reset_factors(world: World) -> None:
    """Without `users:write` nobody resets factors, not even their own. A missing user is a 404."""
    person = await two_step_user(world)
    mine = ResetSecondFactors(user_id=person.user.id)
    assert isinstance(await world.refused(mine, as_user(person.signed)), Forbidden)
    away = await world.refused(mine, ADMIN, world.other_app_id)
    assert isinstance(away, UserNotFound)
    assert (await world.sign_in(person.user)).session is None
