"""Adding, listing, renaming and removing passkeys, and signing up with one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.kit.authenticator import ICLOUD, Authenticator, b64, unb64
from tests.kit.callers import ADMIN, PASSWORD, as_user, now
from tests.kit.passkeys import BROWSER, SITE, add_passkey, sign_in, with_passkey
from tests.kit.world import World

from common.acr import TWO_FACTORS
from common.contracts.guests import CreateGuest
from common.contracts.me import GetMe, VerifyEmail
from common.contracts.passkey_sign_in import (
    AddFirstPasskey,
    SignUpWithPasskey,
    StartFirstPasskey,
    StartPasskeySecondFactor,
    StartPasskeySignUp,
)
from common.contracts.passkeys import (
    AccountSwitched,
    AddedPasskey,
    AddPasskey,
    ListMyPasskeys,
    ListUserPasskeys,
    NotePasskeyOffer,
    PasskeyChallengeSpent,
    PasskeyExists,
    PasskeyNotFound,
    PasskeyRefused,
    RemovePasskey,
    RemoveUserPasskey,
    RenamePasskey,
    StartPasskey,
    TooManyPasskeys,
)
from common.contracts.passwords import SignInWithPassword
from common.contracts.second_factors import LastSecondFactor
from common.contracts.sessions import FreshSignInNeeded, NoSession, SignedInSession
from common.contracts.sign_in import LastWayIn, MethodOff
from common.contracts.sign_up import SignUpClosed
from common.ids import new_id
from common.problems import Forbidden, Invalid


async def epoch(world: World, user_id: str) -> int:
    value: int = await world.owner.fetchval(
        "SELECT factor_epoch FROM users WHERE app_id = $1 AND id = $2", world.app_id, user_id
    )
    return value


async def count(world: World) -> int:
    number: int = await world.owner.fetchval(
        "SELECT count(*) FROM passkeys WHERE app_id = $1", world.app_id
    )
    return number


async def test_a_passkey_is_added(world: World) -> None:
    """The options are for this host and this user. The log, the owner and the factor epoch have the new
    passkey, and the first one comes with recovery codes."""
    user = await world.user("ada@example.com")
    session = await world.sign_in(user)
    caller, authenticator = as_user(session), Authenticator(SITE, aaguid=ICLOUD)
    before = await epoch(world, user.id)

    options = (await world.call(StartPasskey(), caller, origin=SITE)).options
    added = await world.call(
        AddPasskey(credential=authenticator.create(options)), caller, origin=SITE
    )

    assert options["rp"] == {"id": "shop.id.example.org", "name": "Blue Shop"}
    assert options["user"]["name"] == "ada@example.com"
    assert len(unb64(options["user"]["id"])) == 32
    assert user.id not in str(options)
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert (options["attestation"], options["timeout"]) == ("none", 300_000)
    assert (added.passkey.name, added.passkey.authenticator) == ("iCloud Keychain",) * 2
    assert added.passkey.rp_id == "shop.id.example.org"
    assert len(set(added.recovery_codes)) == 10
    assert await epoch(world, user.id) == before + 1
    assert "passkey_added" in await world.event_types()
    letter = await world.mail()
    assert (letter.kind, letter.to) == ("passkey_added", "ada@example.com")


async def test_a_user_has_several_passkeys_with_names(world: World) -> None:
    """All of them have the same handle. Recovery codes come with the first one only."""
    user = await world.user()
    session = await world.sign_in(user)
    caller = as_user(session)
    first, second = Authenticator(SITE), Authenticator(SITE)

    await add_passkey(world, session, first)
    options = (await world.call(StartPasskey(), caller, origin=SITE)).options
    named = AddPasskey(credential=second.create(options), name="Blue key")
    added = await world.call(named, caller, origin=SITE)
    listed = await world.call(ListMyPasskeys(), caller, origin=SITE)

    assert options["excludeCredentials"] == [{"type": "public-key", "id": first.id}]
    assert first.user_handle == second.user_handle
    assert added.recovery_codes == []
    assert [one.name for one in listed.passkeys] == ["Blue key", "Passkey"]
    assert listed.user_handle == b64(first.user_handle or b"")
    assert (listed.user_name, listed.rp_id) == (user.email, "shop.id.example.org")
    for authenticator in (first, second):
        assert (await sign_in(world, authenticator)).full().user_id == user.id


@pytest.mark.parametrize(
    ("flaws", "reason"),
    [
        ({"user_verified": False}, "user_verification"),
        ({"user_present": False, "user_verified": False}, "user_presence"),
        ({"origin": "https://evil.example"}, "origin"),
        ({"cross_origin": True}, "cross_origin"),
        ({"type": "webauthn.get"}, "type"),
        ({"rp_id": "id.example.org"}, "rp_id"),
        ({"credential_id": b"x" * 32}, "credential_id"),
        ({"cose_key": {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}}, "credential"),
        ({"cose_key": {1: 1, 3: -7, -1: 6, -2: b"x" * 32}}, "credential"),
        ({"cose_key": {1: 3, 3: -257, -1: b"\xff" * 1024, -2: b"\1\0\1"}}, "algorithm"),
        ({"cose_key": {1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\1\0\1"}}, "algorithm"),
    ],
)
async def test_a_flawed_answer_adds_no_passkey(
    world: World, flaws: dict[str, Any], reason: str
) -> None:
    """A browser that makes a passkey by itself, without asking its user, is refused like the others."""
    session = await world.sign_in(await world.user())

    with pytest.raises(PasskeyRefused):
        await add_passkey(world, session, Authenticator(SITE), **flaws)

    assert await count(world) == 0
    refused = [data for kind, data in await world.events() if kind == "passkey_refused"]
    assert [(data["purpose"], data["reason"]) for data in refused] == [("register", reason)]
    assert await world.mails() == []


@pytest.mark.parametrize("alg", [-35, -258])
async def test_an_algorithm_that_was_not_offered_is_refused(world: World, alg: int) -> None:
    session = await world.sign_in(await world.user())

    with pytest.raises(PasskeyRefused):
        await add_passkey(world, session, Authenticator(SITE, alg=alg))

    assert await count(world) == 0


async def test_a_long_credential_id_is_refused(world: World) -> None:
    session = await world.sign_in(await world.user())
    longest = Authenticator(SITE, credential_id=b"i" * 1023)
    await add_passkey(world, session, longest)

    with pytest.raises(PasskeyRefused):
        await add_passkey(world, session, Authenticator(SITE, credential_id=b"i" * 1024))

    assert await count(world) == 1


async def test_an_attestation_is_not_read(world: World) -> None:
    """None was requested. Certificates that a browser sends nevertheless are never parsed."""
    session = await world.sign_in(await world.user())
    statement = {"alg": -7, "sig": b"nonsense", "x5c": [b"not a certificate"]}

    await add_passkey(world, session, Authenticator(SITE), statement=statement)

    assert await count(world) == 1


async def test_a_public_key_without_an_attestation_object_is_invalid(world: World) -> None:
    """The key in the JSON is a copy that nothing vouches for."""
    caller = as_user(await world.sign_in(await world.user()))
    options = (await world.call(StartPasskey(), caller, origin=SITE)).options
    credential = Authenticator(SITE).create(options)
    credential["response"]["publicKey"] = b64(b"a key")
    del credential["response"]["attestationObject"]

    problem = await world.refused(AddPasskey(credential=credential), caller, origin=SITE)

    assert (type(problem), problem.status) == (Invalid, 422)
    assert await count(world) == 0


async def test_another_user_cannot_add_the_same_credential(world: World) -> None:
    _, authenticator = await with_passkey(world)
    session = await world.sign_in(await world.user())

    with pytest.raises(PasskeyExists):
        await add_passkey(world, session, authenticator)

    assert await count(world) == 1


async def test_the_same_user_cannot_add_an_excluded_credential(world: World) -> None:
    """Whatever the browser does with the list of excluded ones."""
    user, authenticator = await with_passkey(world)

    with pytest.raises(PasskeyExists):
        await add_passkey(world, await world.sign_in(user), authenticator)

    assert await count(world) == 1


async def test_the_account_was_switched_between_options_and_answer(world: World) -> None:
    """The passkey goes to neither account."""
    ann = as_user(await world.sign_in(await world.user()))
    bob = as_user(await world.sign_in(await world.user()))
    options = (await world.call(StartPasskey(), ann, origin=SITE)).options
    request = AddPasskey(credential=Authenticator(SITE).create(options))

    problem = await world.refused(request, bob, origin=SITE)

    assert (type(problem), problem.status) == (AccountSwitched, 409)
    assert isinstance(await world.refused(request, ann, origin=SITE), PasskeyChallengeSpent)
    assert await count(world) == 0


async def test_changes_need_a_fresh_sign_in(world: World) -> None:
    """Adding and removing. Renaming does not."""
    user, authenticator = await with_passkey(world)
    session = await world.sign_in(user)
    caller = as_user(session)
    listed = (await world.call(ListMyPasskeys(), caller, origin=SITE)).passkeys
    options = (await world.call(StartPasskey(), caller, origin=SITE)).options
    stale = replace(caller, proven_at=now() - 901)

    for request in (
        StartPasskey(),
        AddPasskey(credential=Authenticator(SITE).create(options)),
        RemovePasskey(passkey_id=listed[0].id),
    ):
        problem = await world.refused(request, stale, origin=SITE)
        assert isinstance(problem, FreshSignInNeeded), request

    assert await count(world) == 1
    await world.call(RenamePasskey(passkey_id=listed[0].id, name="Phone"), stale, origin=SITE)
    assert authenticator.id == listed[0].credential_id


async def test_a_passkey_is_renamed(world: World) -> None:
    user, _ = await with_passkey(world)
    caller = as_user(await world.sign_in(user))
    (passkey,) = (await world.call(ListMyPasskeys(), caller, origin=SITE)).passkeys

    renamed = await world.call(RenamePasskey(passkey_id=passkey.id, name=" Phone "), caller)

    assert renamed.name == "Phone"
    assert "passkey_renamed" in await world.event_types()
    with pytest.raises(ValueError, match="Links"):
        RenamePasskey(passkey_id=passkey.id, name="evil.example/now")


async def test_a_passkey_is_removed(world: World) -> None:
    """Its owner is told, the factor epoch rises, and it no longer signs in."""
    user, authenticator = await with_passkey(world)
    caller = as_user(await world.sign_in(user))
    (passkey,) = (await world.call(ListMyPasskeys(), caller, origin=SITE)).passkeys
    before = await epoch(world, user.id)

    await world.call(RemovePasskey(passkey_id=passkey.id), caller, origin=SITE)

    assert await count(world) == 0
    assert await epoch(world, user.id) == before + 1
    assert "passkey_removed" in await world.event_types()
    assert (await world.mail()).kind == "passkey_removed"
    with pytest.raises(Exception, match="not in use"):
        await sign_in(world, authenticator)


async def test_the_last_way_in_stays(world: World) -> None:
    """A user with nothing but passkeys removes all but one. An administrator removes that one, too."""
    world.configure(world.app_id, auth_methods=["passkey", "password"])
    user, first = await with_passkey(world)
    session = await world.sign_in(user)
    await add_passkey(world, session, second := Authenticator(SITE))
    await world.owner.execute("DELETE FROM passwords WHERE user_id = $1", user.id)
    caller = as_user(session)
    ids = {
        one.credential_id: one.id
        for one in (await world.call(ListMyPasskeys(), caller, origin=SITE)).passkeys
    }

    await world.call(RemovePasskey(passkey_id=ids[first.id]), caller, origin=SITE)
    last = RemovePasskey(passkey_id=ids[second.id])
    assert isinstance(await world.refused(last, caller, origin=SITE), LastWayIn)
    assert await count(world) == 1

    await world.call(RemoveUserPasskey(user_id=user.id, passkey_id=ids[second.id]), ADMIN)
    assert await count(world) == 0
    assert (await world.mail()).kind == "passkey_removed"


async def test_a_second_factor_that_is_required_stays(world: World) -> None:
    """An administrator removes it nevertheless. The recovery codes go with the last factor."""
    user, _ = await with_passkey(world)
    caller = as_user(await world.sign_in(user))
    world.configure(world.app_id, mfa_policy="required")
    (passkey,) = (await world.call(ListMyPasskeys(), caller, origin=SITE)).passkeys

    problem = await world.refused(RemovePasskey(passkey_id=passkey.id), caller, origin=SITE)
    assert isinstance(problem, LastSecondFactor)
    assert await count(world) == 1

    await world.call(RemoveUserPasskey(user_id=user.id, passkey_id=passkey.id), ADMIN)
    assert await count(world) == 0
    assert not await world.owner.fetchval(
        "SELECT count(*) FROM recovery_codes WHERE user_id = $1", user.id
    )


async def test_a_guest_becomes_a_user_by_a_passkey(world: World) -> None:
    """They keep their id. The session of the guest is replaced by one with two factors."""
    world.configure(world.app_id, guests=True)
    guest = await world.call(CreateGuest(browser=BROWSER))
    authenticator = Authenticator(SITE)

    added = await add_passkey(world, guest, authenticator)

    assert added.session is not None
    session = added.session.full()
    assert (session.user_id, session.acr) == (guest.full().user_id, TWO_FACTORS)
    assert await world.live_session(guest.token) is None
    assert "guest_upgraded" in await world.event_types()
    assert (await sign_in(world, authenticator)).full().user_id == guest.full().user_id


async def test_another_users_passkey_does_not_exist(world: World) -> None:
    """For its id, not even the name of the error differs from that of a made-up one."""
    owner, _ = await with_passkey(world)
    stranger, _ = await with_passkey(world)
    listed = await world.call(ListUserPasskeys(user_id=owner.id), ADMIN)
    caller = as_user(await world.sign_in(stranger))

    for id in (listed.passkeys[0].id, new_id()):
        for request in (RenamePasskey(passkey_id=id, name="Mine"), RemovePasskey(passkey_id=id)):
            assert isinstance(await world.refused(request, caller), PasskeyNotFound)
        administered = RemoveUserPasskey(user_id=stranger.id, passkey_id=id)
        assert isinstance(await world.refused(administered, ADMIN), PasskeyNotFound)

    assert await count(world) == 2
    assert listed.user_handle is None


async def test_a_user_has_at_most_twenty_passkeys(world: World) -> None:
    user, _ = await with_passkey(world)
    caller = as_user(await world.sign_in(user))
    options = (await world.call(StartPasskey(), caller, origin=SITE)).options
    await world.owner.execute(
        "INSERT INTO passkeys (app_id, id, user_id, credential_id, public_key, rp_id)"
        " SELECT $1, gen_random_uuid(), $2, decode(lpad(n::text, 32, '0'), 'hex'), '', 'x'"
        " FROM generate_series(1, 19) n",
        world.app_id,
        user.id,
    )

    assert isinstance(await world.refused(StartPasskey(), caller, origin=SITE), TooManyPasskeys)
    request = AddPasskey(credential=Authenticator(SITE).create(options))
    assert isinstance(await world.refused(request, caller, origin=SITE), TooManyPasskeys)


async def test_an_application_without_passkeys_adds_none(world: World) -> None:
    caller = as_user(await world.sign_in(await world.user()))
    world.configure(world.app_id, auth_methods=["password"])

    assert isinstance(await world.refused(StartPasskey(), caller, origin=SITE), MethodOff)


async def test_a_passkey_is_offered_once(world: World) -> None:
    """After a sign-in with a password, to a user who has none and was never offered one."""
    user = await world.user()
    first = await world.sign_in(user)
    await world.call(NotePasskeyOffer(), as_user(first))
    second = await world.sign_in(user)
    with_one, authenticator = await with_passkey(world)

    assert (first.offers_passkey, second.offers_passkey) == (True, False)
    assert not (await world.sign_in(with_one)).offers_passkey
    assert not (await sign_in(world, authenticator)).offers_passkey


async def _half(world: World, email: str | None) -> SignedInSession:
    signed: SignedInSession = await world.call(
        SignInWithPassword(email=email or "", password=PASSWORD)
    )
    assert signed.challenge is not None
    return signed


async def test_a_passkey_enrols_in_a_sign_in_that_needs_a_factor(world: World) -> None:
    """The session starts with both factors, and the user gets recovery codes."""
    world.configure(world.app_id, mfa_policy="required")
    user = await world.user()
    half = await _half(world, user.email)
    authenticator = Authenticator(SITE)

    asked = StartFirstPasskey(token=half.token, browser=BROWSER)
    options = (await world.call(asked, origin=SITE)).options
    request = AddFirstPasskey(
        token=half.token, browser=BROWSER, credential=authenticator.create(options)
    )
    added = await world.call(request, origin=SITE)

    assert added.session is not None
    session = added.session.full()
    assert (session.user_id, session.acr) == (user.id, TWO_FACTORS)
    assert session.amr == ["pwd", "swk", "user", "mfa"]
    assert len(added.recovery_codes) == 10
    assert isinstance(await world.refused(asked, origin=SITE), NoSession)


async def test_a_half_session_of_a_user_with_a_factor_enrols_nothing(world: World) -> None:
    """Somebody who knows only the password must not add a passkey of their own."""
    user, _ = await with_passkey(world)
    world.configure(world.app_id, mfa_policy="required")
    half = await _half(world, user.email)
    assert half.challenge is not None
    assert half.challenge.kind == "mfa_required"

    asked = StartFirstPasskey(token=half.token, browser=BROWSER)
    problem = await world.refused(asked, origin=SITE)
    assert (type(problem), problem.status) == (Forbidden, 403)

    shown = StartPasskeySecondFactor(token=half.token, browser=BROWSER)
    options = (await world.call(shown, origin=SITE)).options
    forged = {"rp": {"id": options["rpId"]}, "user": {"id": "AAAA"}, **options}
    request = AddFirstPasskey(
        token=half.token, browser=BROWSER, credential=Authenticator(SITE).create(forged)
    )
    assert isinstance(await world.refused(request, origin=SITE), Forbidden)
    assert await count(world) == 1


async def _sign_up(
    world: World, authenticator: Authenticator, email: str, **more: Any
) -> AddedPasskey:
    start = StartPasskeySignUp(email=email, browser=BROWSER, **more)
    options = (await world.call(start, origin=SITE)).options
    assert options["user"]["name"] == email
    request = SignUpWithPasskey(credential=authenticator.create(options), browser=BROWSER)
    return await world.call(request, origin=SITE)


async def test_sign_up_with_only_a_passkey(world: World) -> None:
    """The user exists with the passkey, and is signed in with two factors. The address is theirs once
    they have followed the link in the mail."""
    world.configure(world.app_id, passkey_sign_up=True)
    authenticator = Authenticator(SITE)

    added = await _sign_up(world, authenticator, "new@example.com", name="Ada")

    assert added.session is not None
    session, caller = added.session.full(), as_user(added.session)
    assert (session.acr, session.name, session.email) == (TWO_FACTORS, "Ada", None)
    assert added.session.new_user
    assert len(added.recovery_codes) == 10
    assert (await sign_in(world, authenticator)).full().user_id == session.user_id
    letters = await world.mails()
    assert [(one.kind, one.to) for one in letters] == [("email_change", "new@example.com")]
    await world.call(VerifyEmail(token=letters[0].token), caller)
    me = await world.call(GetMe(), caller)
    assert (me.email, me.email_verified) == ("new@example.com", True)


async def test_sign_up_does_not_tell_who_has_an_account(world: World) -> None:
    """Somebody who signs up with another user's address gets the same answers. They get neither the
    address nor anything of that account, and its owner is told."""
    world.configure(world.app_id, passkey_sign_up=True)
    owner = await world.user("ada@example.com")

    added = await _sign_up(world, Authenticator(SITE), "ada@example.com")

    assert added.session is not None
    assert added.session.full().user_id != owner.id
    assert added.session.full().email is None
    letter = await world.mail()
    assert (letter.kind, letter.to) == ("sign_up_known", "ada@example.com")
    assert letter.data["code"] == ""
    assert letter.data["link"] == ""


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, MethodOff),
        ({"passkey_sign_up": True, "auth_methods": ["password"]}, MethodOff),
        ({"passkey_sign_up": True, "signup_mode": "invite_only"}, SignUpClosed),
        ({"passkey_sign_up": True, "require_verified_email": True}, MethodOff),
        (
            {
                "passkey_sign_up": True,
                "signup_mode": "restricted",
                "allowed_email_domains": ["example.com"],
            },
            MethodOff,
        ),
        ({"passkey_sign_up": True, "blocked_email_domains": ["example.com"]}, Invalid),
    ],
)
async def test_the_rules_of_sign_up_hold(
    world: World, settings: dict[str, Any], kind: type[Exception]
) -> None:
    """At both steps. A rule that needs a proven address leaves no sign-up without one."""
    world.configure(world.app_id, passkey_sign_up=True)
    start = StartPasskeySignUp(email="new@example.com", browser=BROWSER)
    options = (await world.call(start, origin=SITE)).options
    world.configure(world.app_id, **settings)
    request = SignUpWithPasskey(credential=Authenticator(SITE).create(options), browser=BROWSER)

    assert isinstance(await world.refused(start, origin=SITE), kind)
    assert isinstance(await world.refused(request, origin=SITE), kind)
    assert (
        await world.owner.fetchval("SELECT count(*) FROM users WHERE app_id = $1", world.app_id)
        == 0
    )


async def test_the_secrets_of_a_passkey_are_not_shown(world: World) -> None:
    """Neither a request nor a reply shows credentials or codes when it is printed."""
    user = await world.user()
    session = await world.sign_in(user)
    added = await add_passkey(world, session, Authenticator(SITE))
    request = AddPasskey(credential={"id": "secret-credential"})

    assert "secret-credential" not in repr(request)
    assert added.recovery_codes[0] not in repr(added)
