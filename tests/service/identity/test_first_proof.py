"""The first proof of an address by mail ends what a stranger prepared, and takes nothing from the user."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.kit.authenticator import Authenticator
from tests.kit.callers import PASSWORD, as_user
from tests.kit.passkeys import BROWSER, SITE, add_passkey, attempt
from tests.kit.second_factors import turn_on_totp
from tests.kit.world import World

from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.me import ChangeEmail, VerifyEmail
from common.contracts.passkeys import PasskeyUnknown
from common.contracts.passwords import ResetPassword, SignInWithPassword, StartReset
from common.contracts.profiles import User
from common.contracts.second_factors import CompleteSignIn
from common.contracts.sessions import NoSession, SignedInSession
from common.contracts.sign_in import (
    EmailUnverified,
    LinkSpent,
    OtherBrowser,
    WrongCredentials,
)
from common.contracts.sign_up import SignUp
from common.ids import DASHBOARD

from .provider_stand_in import ProviderStandIn, provider_account

OWNER = "o" * 32
"""The browser of the person who has the address."""
NEW_PASSWORD = "six unusual otters juggle"


@dataclass(frozen=True)
class Squatted:
    """An account with somebody else's address, and what its creator has prepared in it."""

    user: User
    authenticator: Authenticator
    session: SignedInSession
    half: SignedInSession
    code: str
    link: str

    @property
    def email(self) -> str:
        return self.user.email or ""


async def squat(world: World, providers: ProviderStandIn) -> Squatted:
    """Creates an account with a password, a passkey, an authenticator app, a linked provider, a session, a
    half session and a mailed link."""
    world.configure(world.app_id, mfa_policy="optional")
    user = await world.user("ada@example.com", email_verified=False)
    app = (await turn_on_totp(world, user)).app
    completed = await world.call(
        CompleteSignIn(
            token=(await world.sign_in(user, browser=BROWSER)).token,
            code=app.code(),
            browser=BROWSER,
        )
    )
    session, authenticator = completed.signed_in, Authenticator(SITE)
    await add_passkey(world, session, authenticator)
    session = await world.call((await attempt(world, authenticator))[0], origin=SITE)
    state = (await providers.start_link(as_user(session), "acme", BROWSER))["state"]
    linked = await providers.finish(
        state, provider_account("eve", None), browser=BROWSER, caller=as_user(session)
    )
    assert linked.kind == "linked"
    half = await world.sign_in(user, browser=BROWSER)
    assert half.session is None
    await world.call(StartReset(email="ada@example.com", browser=BROWSER))
    return Squatted(user, authenticator, session, half, app.code(), (await world.mail()).token)


async def by_code(world: World, email: str, browser: str | None) -> SignedInSession:
    """Signs in by a mailed code."""
    flow = await world.call(StartEmailCode(email=email, browser=browser))
    code = (await world.mail()).code
    return await world.call(SignInWithCode(flow=flow.flow, code=code, browser=browser))


async def by_link(world: World, email: str, browser: str | None) -> SignedInSession:
    """Signs in by a mailed link."""
    await world.call(StartEmailCode(email=email, browser=browser))
    return await world.call(SignInWithLink(token=(await world.mail()).token, browser=browser))


async def by_sign_up(world: World, email: str, browser: str | None) -> SignedInSession:
    """Signs up with an address that has an account already: the mailed code signs in to it."""
    flow = await world.call(SignUp(email=email, password=NEW_PASSWORD, browser=browser))
    code = (await world.mail()).code
    return await world.call(SignInWithCode(flow=flow.flow, code=code, browser=browser))


async def by_reset(world: World, email: str, browser: str | None) -> SignedInSession:
    """Chooses another password by a mailed link."""
    await world.call(StartReset(email=email, browser=browser))
    return await world.call(
        ResetPassword(token=(await world.mail()).token, password=NEW_PASSWORD, browser=browser)
    )


async def links(world: World, user: User) -> list[str]:
    return [
        row["idp_user_id"]
        for row in await world.owner.fetch(
            "SELECT idp_user_id FROM user_identity_links WHERE user_id = $1", user.id
        )
    ]


@pytest.mark.parametrize("way", [by_code, by_link, by_sign_up, by_reset])
async def test_the_owner_ends_what_a_stranger_prepared(
    world: World, providers: ProviderStandIn, way: object
) -> None:
    """The owner proves the address in a browser that the account does not know. The stranger's password,
    passkey, authenticator app, link, session, half session and mailed links end, and caches hear it."""
    squatted = await squat(world, providers)
    world.invalidation.published.clear()

    owner = (await way(world, squatted.email, OWNER)).full()  # type: ignore[operator]

    assert (owner.user_id, owner.email_verified) == (squatted.user.id, True)
    assert owner.second_factors == []
    assert (await world.live_session(squatted.session.token)) is None
    published = [(noun, id) for _, noun, id in world.invalidation.published]
    assert ("session", squatted.session.full().id) in published
    with_password = SignInWithPassword(email=squatted.email, password=PASSWORD)
    assert isinstance(await world.refused(with_password), WrongCredentials)
    request, facts = await attempt(world, squatted.authenticator)
    assert isinstance(await world.refused(request, **facts), PasskeyUnknown)
    completing = CompleteSignIn(token=squatted.half.token, code=squatted.code)
    assert isinstance(await world.refused(completing), NoSession)
    late = ResetPassword(token=squatted.link, password=NEW_PASSWORD, browser=BROWSER)
    assert isinstance(await world.refused(late), LinkSpent)
    assert await links(world, squatted.user) == []
    types = await world.event_types("unproven_credentials_ended", "user_verified")
    assert types.count("unproven_credentials_ended") == 1
    assert types.count("user_verified") == 1


async def test_a_reset_keeps_the_password_that_it_sets(
    world: World, providers: ProviderStandIn
) -> None:
    """The password of a reset is newer than the proof, so it stays, and so does its session."""
    squatted = await squat(world, providers)
    owner = await by_reset(world, squatted.email, OWNER)

    assert await world.live_session(owner.token) is not None
    request = SignInWithPassword(email=squatted.email, password=NEW_PASSWORD, browser=OWNER)
    assert (await world.call(request)).full().user_id == squatted.user.id


@pytest.mark.parametrize("way", [by_code, by_link, by_reset])
async def test_a_known_browser_keeps_everything_else(
    world: World, providers: ProviderStandIn, way: object
) -> None:
    """The user has signed in from this browser before: passkey, authenticator app and link stay, and the
    second factor is still asked."""
    own = await squat(world, providers)
    signed = await way(world, own.email, BROWSER)  # type: ignore[operator]

    assert signed.session is None
    request, facts = await attempt(world, own.authenticator)
    session = (await world.call(request, **facts)).full()
    assert session.email_verified
    assert "totp" in session.second_factors
    assert await links(world, own.user) == ["eve"]
    assert await world.event_types("unproven_credentials_ended") == []


@pytest.mark.parametrize("way", [by_code, by_link])
async def test_the_browser_of_a_refused_password_keeps_the_password(
    world: World, way: object
) -> None:
    """A sign-in is refused until the address is proven. The user proves it in the same browser, and the
    password signs in from then on."""
    user = await world.user("ada@example.com", email_verified=False)
    world.configure(world.app_id, require_verified_email=True)
    request = SignInWithPassword(email="ada@example.com", password=PASSWORD, browser=BROWSER)
    assert isinstance(await world.refused(request), EmailUnverified)
    signed = await way(world, "ada@example.com", BROWSER)  # type: ignore[operator]

    assert signed.full().user_id == user.id
    assert (await world.call(request)).full().email_verified
    assert await world.event_types("unproven_credentials_ended") == []


async def test_a_wrong_password_makes_no_browser_known(world: World) -> None:
    """Only the right password says that the account is the user's. And the stranger's refused sign-in
    makes the stranger's browser known, not the owner's."""
    await world.user("ada@example.com", email_verified=False)
    world.configure(world.app_id, require_verified_email=True)
    guess = SignInWithPassword(email="ada@example.com", password="wrong", browser=OWNER)
    assert isinstance(await world.refused(guess), WrongCredentials)
    right = SignInWithPassword(email="ada@example.com", password=PASSWORD, browser=BROWSER)
    assert isinstance(await world.refused(right), EmailUnverified)
    await by_code(world, "ada@example.com", OWNER)

    assert isinstance(await world.refused(right), WrongCredentials)


async def test_the_browser_of_a_refused_passkey_keeps_the_passkey(world: World) -> None:
    """As with a password: a passkey that is refused until the address is proven stays."""
    user = await world.user("ada@example.com", email_verified=False)
    authenticator = Authenticator(SITE)
    await add_passkey(world, await world.sign_in(user), authenticator)
    world.configure(world.app_id, require_verified_email=True)
    request, facts = await attempt(world, authenticator)
    assert isinstance(await world.refused(request, **facts), EmailUnverified)
    world.configure(world.app_id, require_verified_email=True, mfa_policy="off")
    await by_code(world, "ada@example.com", BROWSER)

    request, facts = await attempt(world, authenticator)
    assert (await world.call(request, **facts)).full().email_verified


async def test_a_proven_address_is_proven_once(world: World) -> None:
    """A later code in another browser ends nothing."""
    user = await world.user("ada@example.com")
    before = await world.sign_in(user)
    await by_code(world, "ada@example.com", OWNER)

    assert await world.live_session(before.token) is not None
    await world.sign_in(user)


async def test_the_link_of_an_own_address_needs_the_session(world: World) -> None:
    """A signed-in user confirms their own address and keeps the password. The owner of the address who
    follows the same link elsewhere proves nothing for the stranger's account."""
    user = await world.user("ada@example.com", email_verified=False)
    signed = await world.sign_in(user, browser=BROWSER)
    await world.call(ChangeEmail(email="ada@example.com"), as_user(signed))
    verify = VerifyEmail(token=(await world.mail()).token)
    other = await world.sign_in(await world.user("eve@example.com"))
    for caller in (None, as_user(other)):
        assert isinstance(await world.refused(verify, caller), OtherBrowser)
    assert await world.event_types("user_verified") == []

    await world.call(verify, as_user(signed))
    assert (await world.sign_in(user)).full().email_verified
    assert await world.event_types("unproven_credentials_ended") == []


async def test_an_operators_first_proof(world: World) -> None:
    """On the Dashboard the session starts after another service has answered. The stranger's password
    ends there too."""
    world.replace_deps("identity", operator_mfa="required")
    try:
        user = await world.user(app_id=DASHBOARD, email_verified=False)
        before = await world.sign_in(user, DASHBOARD)
        flow = await world.call(
            StartEmailCode(email=user.email or "", browser=OWNER), app_id=DASHBOARD
        )
        code = (await world.mail(DASHBOARD)).code
        request = SignInWithCode(flow=flow.flow, code=code, browser=OWNER)
        assert (await world.call(request, app_id=DASHBOARD)).full().email_verified
        assert await world.live_session(before.token, DASHBOARD) is None
    finally:
        world.replace_deps("identity", operator_mfa="optional")
