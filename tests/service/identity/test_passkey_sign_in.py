"""Signing in with a passkey, alone, as the second factor and as a confirmation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.kit.authenticator import Authenticator, b64
from tests.kit.callers import PASSWORD, as_user
from tests.kit.passkeys import (
    BROWSER,
    SITE,
    add_passkey,
    attempt,
    sign_in,
    sign_in_options,
    with_passkey,
)
from tests.kit.world import World

from common.acr import TWO_FACTORS
from common.contracts.passkey_sign_in import (
    ConfirmWithPasskey,
    ShowPasskeySecondFactor,
    SignInWithPasskey,
    StartPasskeyConfirmation,
    StartPasskeySecondFactor,
    StartPasskeySignIn,
)
from common.contracts.passkeys import (
    AccountSwitched,
    PasskeyChallengeSpent,
    PasskeyRefused,
    PasskeyUnknown,
)
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import NoSession, SignedInSession
from common.contracts.sign_in import AccountDisabled, EmailUnverified, MethodOff
from common.contracts.tenants import UnknownHost
from common.contracts.users import DisableUser
from common.problems import Forbidden, Invalid, RateLimited

from tests.kit.callers import ADMIN  # isort: skip


async def reasons(world: World) -> list[str]:
    """Returns why passkeys were refused, in order."""
    return [data["reason"] for kind, data in await world.events() if kind == "passkey_refused"]


async def test_a_passkey_signs_in_without_a_user_name_as_two_factors(world: World) -> None:
    """The options name no passkey and no user. The session has two factors, and the log has it."""
    user, authenticator = await with_passkey(world)

    options = await sign_in_options(world)
    request = SignInWithPasskey(credential=authenticator.get(options), browser=BROWSER)
    signed = await world.call(request, origin=SITE)

    assert set(options) == {"challenge", "rpId", "timeout", "userVerification"}
    assert (options["rpId"], options["userVerification"]) == ("shop.id.example.org", "required")
    session = signed.full()
    assert (session.user_id, session.acr) == (user.id, TWO_FACTORS)
    assert session.amr == ["swk", "user", "mfa"]
    assert set(session.factor_times) == {"passkey"}
    assert await world.live_session(signed.token) is not None
    logins = [data for kind, data in await world.events() if kind == "login"]
    assert logins[-1]["method"] == "passkey"


@pytest.mark.parametrize("alg", [-8, -7, -257])
async def test_each_offered_algorithm_signs_in(world: World, alg: int) -> None:
    """A key that cannot be copied is `hwk`."""
    kept = Authenticator(SITE, alg=alg, backup_eligible=False, backed_up=False)
    _, authenticator = await with_passkey(world, kept)

    signed = await sign_in(world, authenticator)

    assert signed.full().amr == ["hwk", "user", "mfa"]


@pytest.mark.parametrize(
    ("flaws", "reason"),
    [
        ({"user_verified": False}, "user_verification"),
        ({"user_present": False}, "user_presence"),
        ({"origin": "https://evil.example"}, "origin"),
        ({"origin": "http://shop.id.example.org"}, "origin"),
        ({"origin": "https://shop.id.example.org.evil.example"}, "origin"),
        ({"cross_origin": True}, "cross_origin"),
        ({"top_origin": "https://evil.example"}, "cross_origin"),
        ({"type": "webauthn.create"}, "type"),
        ({"rp_id": "id.example.org"}, "rp_id"),
        ({"rp_id": "other.id.example.org"}, "rp_id"),
        ({"user_handle": b"x" * 32}, "user_handle"),
        ({"signer": Authenticator(SITE).key}, "signature"),
        ({"backup_eligible": False, "backed_up": True}, "authenticator_data"),
    ],
)
async def test_a_flawed_answer_is_refused(world: World, flaws: dict[str, Any], reason: str) -> None:
    """Each rule is checked. The visitor learns neither the reason nor the expected value; the log has
    the reason. No session starts."""
    user, authenticator = await with_passkey(world)

    request, facts = await attempt(world, authenticator, **flaws)
    problem = await world.refused(request, **facts)

    assert (type(problem), problem.status, problem.extra) == (PasskeyRefused, 400, {})
    assert problem.detail == PasskeyRefused.title
    assert await reasons(world) == [reason]
    logins = [kind for kind, _ in await world.events(user_id=user.id) if kind == "login"]
    assert len(logins) == 1  # the one with the password


async def test_an_answer_without_a_user_handle_is_decided_by_the_credential(world: World) -> None:
    user, authenticator = await with_passkey(world)

    signed = await sign_in(world, authenticator, user_handle=None)

    assert signed.full().user_id == user.id


async def test_a_challenge_is_used_up_by_any_answer(world: World) -> None:
    """The right answer to a challenge that was answered before is refused, also after a failure."""
    _, authenticator = await with_passkey(world)
    options = await sign_in_options(world)
    wrong = SignInWithPasskey(
        credential=authenticator.get(options, user_verified=False), browser=BROWSER
    )
    right = SignInWithPasskey(credential=authenticator.get(options), browser=BROWSER)

    assert isinstance(await world.refused(wrong, origin=SITE), PasskeyRefused)
    assert isinstance(await world.refused(right, origin=SITE), PasskeyChallengeSpent)


async def test_one_of_many_equal_answers_signs_in(world: World) -> None:
    _, authenticator = await with_passkey(world)
    request, facts = await attempt(world, authenticator)

    outcomes = await asyncio.gather(
        *(world.call(request, **facts) for _ in range(10)), return_exceptions=True
    )

    assert [type(one) for one in outcomes].count(SignedInSession) == 1
    assert [type(one) for one in outcomes].count(PasskeyChallengeSpent) == 9


async def test_a_challenge_expires_and_must_be_ours(world: World) -> None:
    _, authenticator = await with_passkey(world)
    options = await sign_in_options(world)
    answer = SignInWithPasskey(credential=authenticator.get(options), browser=BROWSER)
    invented = SignInWithPasskey(
        credential=authenticator.get(options, challenge=b64(b"c" * 32)), browser=BROWSER
    )
    await world.owner.execute(
        "UPDATE webauthn_challenges SET expires_at = now() WHERE app_id = $1", world.app_id
    )

    assert isinstance(await world.refused(answer, origin=SITE), PasskeyChallengeSpent)
    assert isinstance(await world.refused(invented, origin=SITE), PasskeyChallengeSpent)


async def test_a_challenge_is_of_32_bytes_and_stored_as_a_hash(world: World) -> None:
    options = await sign_in_options(world)

    stored = await world.owner.fetch(
        "SELECT challenge_hash, expires_at - created_at AS lasts FROM webauthn_challenges"
        " WHERE app_id = $1",
        world.app_id,
    )

    assert len(options["challenge"]) == 43
    assert [row["lasts"].total_seconds() for row in stored] == [300]
    assert options["challenge"] not in str(stored)


async def test_a_challenge_works_in_its_browser_on_its_host_and_for_its_purpose(
    world: World,
) -> None:
    """A stranger who brings their own answer into another browser signs nobody in there."""
    user, authenticator = await with_passkey(world)
    session = await world.sign_in(user)
    elsewhere = await attempt(world, authenticator)
    step_up = await world.call(StartPasskeyConfirmation(), as_user(session), origin=SITE)

    for request, origin in (
        (elsewhere[0].model_copy(update={"browser": "c" * 32}), SITE),
        ((await attempt(world, authenticator))[0], "https://login.shop.example"),
        (SignInWithPasskey(credential=authenticator.get(step_up.options), browser=BROWSER), SITE),
    ):
        problem = await world.refused(request, origin=origin)
        assert isinstance(problem, PasskeyChallengeSpent), problem


async def test_a_passkey_of_another_application_is_unknown(world: World) -> None:
    """Nobody here has it, so the browser may be told to forget it. No session starts."""
    _, authenticator = await with_passkey(world)
    options = (
        await world.call(
            StartPasskeySignIn(browser=BROWSER), app_id=world.other_app_id, origin=SITE
        )
    ).options
    request = SignInWithPasskey(credential=authenticator.get(options), browser=BROWSER)

    problem = await world.refused(request, app_id=world.other_app_id, origin=SITE)

    assert isinstance(problem, PasskeyUnknown)
    assert (await world.events(world.other_app_id))[-1] == (
        "login_failed",
        {"method": "passkey", "reason": "unknown_passkey", "org_ids": [], "address_hash": None},
    )


async def test_a_counter_must_grow(world: World) -> None:
    """A counter that stays or goes back is refused, and the owner is told. The passkey stays, and its
    stored counter does not move."""
    user, authenticator = await with_passkey(world, Authenticator(SITE, counter=5))
    await sign_in(world, authenticator, counter=6)

    for counter in (6, 5, 0):
        request, facts = await attempt(world, authenticator, counter=counter)
        assert isinstance(await world.refused(request, **facts), PasskeyRefused)
        assert (await world.mail()).kind == "passkey_refused"

    assert await reasons(world) == ["counter"] * 3
    assert (await sign_in(world, authenticator, counter=7)).full().user_id == user.id


async def test_a_counter_that_is_always_zero_is_good(world: World) -> None:
    """Passkeys that are copied between devices do not count."""
    _, authenticator = await with_passkey(world)

    await sign_in(world, authenticator)
    await sign_in(world, authenticator)

    assert await reasons(world) == []


async def test_the_backup_flags_may_change(world: World) -> None:
    """An authenticator may begin to copy its keys. The flags are stored, and not compared."""
    kept = Authenticator(SITE, backup_eligible=False, backed_up=False)
    user, authenticator = await with_passkey(world, kept)

    signed = await sign_in(world, authenticator, backup_eligible=True, backed_up=True)

    assert "swk" in signed.full().amr
    row = await world.owner.fetchrow(
        "SELECT backup_eligible, backed_up FROM passkeys WHERE user_id = $1", user.id
    )
    assert row is not None
    assert (row["backup_eligible"], row["backed_up"]) == (True, True)


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"id": "AAAA", "rawId": "AAAA", "response": {}},
        {"id": "AAAA", "rawId": "AAAA", "response": {"clientDataJSON": "AAAA"}},
        {
            "id": "AAAA",
            "rawId": "AAAA",
            "response": {"clientDataJSON": "!", "authenticatorData": "", "signature": ""},
        },
    ],
)
async def test_an_incomplete_answer_is_invalid(world: World, credential: dict[str, Any]) -> None:
    problem = await world.refused(SignInWithPasskey(credential=credential), origin=SITE)

    assert isinstance(problem, Invalid)
    assert problem.extra["errors"][0]["code"] == "credential_incomplete"


def test_an_answer_has_a_bounded_size() -> None:
    with pytest.raises(ValueError, match="too large"):
        SignInWithPasskey(credential={"id": "A" * 20_000})


async def test_passkeys_can_be_switched_off(world: World) -> None:
    _, authenticator = await with_passkey(world)
    request, facts = await attempt(world, authenticator)
    world.configure(world.app_id, auth_methods=["password"])

    assert isinstance(await world.refused(request, **facts), MethodOff)
    problem = await world.refused(StartPasskeySignIn(), origin=SITE)
    assert isinstance(problem, MethodOff)


async def test_the_gate_holds_for_passkeys(world: World) -> None:
    """A disabled user and one whose address must be verified first get no session."""
    user, authenticator = await with_passkey(world)
    await world.owner.execute("UPDATE users SET email_verified = false WHERE id = $1", user.id)
    world.configure(world.app_id, require_verified_email=True)
    request, facts = await attempt(world, authenticator)
    assert isinstance(await world.refused(request, **facts), EmailUnverified)

    world.configure(world.app_id)
    await world.call(DisableUser(user_id=user.id), ADMIN)
    request, facts = await attempt(world, authenticator)
    assert isinstance(await world.refused(request, **facts), AccountDisabled)


async def test_a_passkey_needs_no_second_question(world: World) -> None:
    """A user who must show two factors, and signs in with a passkey, is asked for nothing else."""
    world.configure(world.app_id, mfa_policy="required")
    world.configure(world.app_id)
    _, authenticator = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required")

    signed = await sign_in(world, authenticator)

    assert (signed.challenge, signed.full().acr) == (None, TWO_FACTORS)


async def test_the_options_are_limited_by_network(world: World) -> None:
    for _ in range(3):
        await sign_in_options(world)
    await world.owner.execute(
        "UPDATE rate_limits SET hits = 600 WHERE app_id = $1 AND key LIKE 'passkey_challenge_ip:%'",
        world.app_id,
    )

    assert isinstance(await world.refused(StartPasskeySignIn(), origin=SITE), RateLimited)


async def _half(world: World, email: str | None) -> SignedInSession:
    request = SignInWithPassword(email=email or "", password=PASSWORD)
    signed: SignedInSession = await world.call(request)
    assert signed.challenge is not None
    return signed


async def test_a_passkey_completes_a_half_session(world: World) -> None:
    """The session has both factors. The half session works once."""
    user, authenticator = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required")
    half = await _half(world, user.email)

    asked = StartPasskeySecondFactor(token=half.token, browser=BROWSER)
    options = (await world.call(asked, origin=SITE)).options
    shown = ShowPasskeySecondFactor(
        token=half.token, browser=BROWSER, credential=authenticator.get(options)
    )
    done = await world.call(shown, origin=SITE)

    assert done.device is None
    session = done.signed_in.full()
    assert (session.user_id, session.acr) == (user.id, TWO_FACTORS)
    assert session.amr == ["pwd", "swk", "user", "mfa"]
    assert set(session.factor_times) == {"password", "passkey"}
    assert isinstance(await world.refused(shown, origin=SITE), NoSession)


@pytest.mark.parametrize("days", [0, 30])
async def test_a_passkey_as_second_factor_remembers_the_device(world: World, days: int) -> None:
    """The user chose it, and the application decides: with 0 days no device is remembered."""
    user, authenticator = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required", mfa_remember_device_days=days)
    half = await _half(world, user.email)
    asked = StartPasskeySecondFactor(token=half.token, browser=BROWSER)
    credential = authenticator.get((await world.call(asked, origin=SITE)).options)
    shown = ShowPasskeySecondFactor(
        token=half.token, browser=BROWSER, credential=credential, remember_device=True
    )
    done = await world.call(shown, origin=SITE)

    assert (done.device is not None) == (days > 0)
    assert len(await world.event_types("device_remembered")) == (1 if days else 0)
    devices = [done.device] if done.device else []
    again = SignInWithPassword(email=user.email or "", password=PASSWORD, devices=devices)
    assert ((await world.call(again)).challenge is None) == (days > 0)


async def test_another_users_passkey_does_not_complete_a_half_session(world: World) -> None:
    user, _ = await with_passkey(world)
    _, stranger = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required")
    half = await _half(world, user.email)

    asked = StartPasskeySecondFactor(token=half.token, browser=BROWSER)
    options = (await world.call(asked, origin=SITE)).options
    shown = ShowPasskeySecondFactor(
        token=half.token, browser=BROWSER, credential=stranger.get(options)
    )
    problem = await world.refused(shown, origin=SITE)

    assert isinstance(problem, PasskeyRefused)
    assert await reasons(world) == ["owner"]


async def test_the_sixth_passkey_ends_the_half_session(world: World) -> None:
    user, authenticator = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required")
    half = await _half(world, user.email)
    asked = StartPasskeySecondFactor(token=half.token, browser=BROWSER)

    for _ in range(5):
        options = (await world.call(asked, origin=SITE)).options
        credential = authenticator.get(options, user_verified=False)
        shown = ShowPasskeySecondFactor(token=half.token, browser=BROWSER, credential=credential)
        assert isinstance(await world.refused(shown, origin=SITE), PasskeyRefused)

    assert isinstance(await world.refused(asked, origin=SITE), NoSession)


async def test_a_half_session_without_passkeys_cannot_use_one(world: World) -> None:
    user = await world.user()
    world.configure(world.app_id, mfa_policy="required")
    half = await _half(world, user.email)

    problem = await world.refused(StartPasskeySecondFactor(token=half.token), origin=SITE)

    assert isinstance(problem, Forbidden)


async def test_a_passkey_confirms_a_session(world: World) -> None:
    """The session is replaced, and has the passkey as a fresh second factor."""
    user, authenticator = await with_passkey(world)
    session = await world.sign_in(user)
    caller = as_user(session)

    options = (await world.call(StartPasskeyConfirmation(), caller, origin=SITE)).options
    confirmed = await world.call(
        ConfirmWithPasskey(credential=authenticator.get(options)), caller, origin=SITE
    )

    assert await world.live_session(session.token) is None
    after = confirmed.full()
    assert (after.user_id, after.acr) == (user.id, TWO_FACTORS)
    assert set(after.factor_times) == {"password", "passkey"}


async def test_a_confirmation_needs_a_passkey_of_the_same_user_in_the_same_session(
    world: World,
) -> None:
    """Another user's passkey is refused. A challenge of another user's session is a conflict."""
    user, authenticator = await with_passkey(world)
    other, stranger = await with_passkey(world)
    caller = as_user(await world.sign_in(user))
    switched = as_user(await world.sign_in(other))

    options = (await world.call(StartPasskeyConfirmation(), caller, origin=SITE)).options
    foreign = ConfirmWithPasskey(credential=stranger.get(options))
    assert isinstance(await world.refused(foreign, caller, origin=SITE), PasskeyRefused)

    options = (await world.call(StartPasskeyConfirmation(), caller, origin=SITE)).options
    moved = ConfirmWithPasskey(credential=stranger.get(options))
    problem = await world.refused(moved, switched, origin=SITE)
    assert (type(problem), problem.status) == (AccountSwitched, 409)

    options = (await world.call(StartPasskeyConfirmation(), caller, origin=SITE)).options
    own = ConfirmWithPasskey(credential=authenticator.get(options))
    assert (await world.call(own, caller, origin=SITE)).full().user_id == user.id


async def test_an_earlier_host_keeps_its_passkeys(world: World) -> None:
    """After a custom domain was added, passkeys of the old host sign in on the new one, by options of
    their own. Those of a foreign host do not."""
    tenancy = world.stand_ins.tenancy
    tenancy.more_hosts = ["login.shop.example"]
    world.tenants.cache.clear()
    new_site = "https://login.shop.example"
    user, authenticator = await with_passkey(world)
    authenticator.origin = new_site

    own = await world.call(StartPasskeySignIn(browser=BROWSER), origin=new_site)
    assert own.options["rpId"] == "login.shop.example"
    assert own.other_rp_ids == ["shop.id.example.org"]

    old = StartPasskeySignIn(browser=BROWSER, rp_id="shop.id.example.org")
    options = (await world.call(old, origin=new_site)).options
    request = SignInWithPasskey(credential=authenticator.get(options), browser=BROWSER)
    assert (await world.call(request, origin=new_site)).full().user_id == user.id

    request = SignInWithPasskey(credential=authenticator.get(own.options), browser=BROWSER)
    assert isinstance(await world.refused(request, origin=new_site), PasskeyRefused)

    foreign = StartPasskeySignIn(rp_id="id.example.org")
    assert isinstance(await world.refused(foreign, origin=new_site), UnknownHost)
    foreign = StartPasskeySignIn()
    assert isinstance(await world.refused(foreign, origin="https://id.example.org"), UnknownHost)


async def test_a_removed_passkey_does_not_sign_in(world: World) -> None:
    """Not even with an answer from before its removal."""
    user, authenticator = await with_passkey(world)
    second = Authenticator(SITE)
    await add_passkey(world, await world.sign_in(user), second)
    request, facts = await attempt(world, authenticator)
    await world.owner.execute(
        "DELETE FROM passkeys WHERE app_id = $1 AND credential_id = $2",
        world.app_id,
        authenticator.credential_id,
    )

    assert isinstance(await world.refused(request, **facts), PasskeyUnknown)
