"""Steps with passkeys at the identity service of a `World`, by a software authenticator."""

from __future__ import annotations

from typing import Any

from tests.kit.authenticator import Authenticator
from tests.kit.callers import as_user
from tests.kit.world import World

from common.contracts.passkey_sign_in import SignInWithPasskey, StartPasskeySignIn
from common.contracts.passkeys import AddedPasskey, AddPasskey, StartPasskey
from common.contracts.profiles import User
from common.contracts.sessions import SignedInSession

SITE = "https://shop.id.example.org"
BROWSER = "b" * 32


async def add_passkey(
    world: World, session: SignedInSession, authenticator: Authenticator, **flaws: Any
) -> AddedPasskey:
    """Adds a passkey of this authenticator to the account of the session."""
    caller = as_user(session)
    offered = await world.call(StartPasskey(), caller, origin=authenticator.origin)
    credential = authenticator.create(offered.options, **flaws)
    return await world.call(AddPasskey(credential=credential), caller, origin=authenticator.origin)


async def with_passkey(
    world: World, authenticator: Authenticator | None = None, **more: Any
) -> tuple[User, Authenticator]:
    """Creates a user with a passkey."""
    authenticator = authenticator or Authenticator(SITE)
    user = await world.user(**more)
    await add_passkey(world, await world.sign_in(user), authenticator)
    return user, authenticator


async def sign_in_options(
    world: World, origin: str = SITE, browser: str | None = BROWSER
) -> dict[str, Any]:
    """Returns the options to sign in."""
    request = StartPasskeySignIn(browser=browser)
    return (await world.call(request, origin=origin)).options


async def attempt(
    world: World, authenticator: Authenticator, **flaws: Any
) -> tuple[SignInWithPasskey, dict[str, Any]]:
    """Returns an attempt to sign in, and the facts of its request."""
    options = await sign_in_options(world)
    credential = authenticator.get(options, **flaws)
    return SignInWithPasskey(credential=credential, browser=BROWSER), {"origin": SITE}


async def sign_in(world: World, authenticator: Authenticator, **flaws: Any) -> SignedInSession:
    """Signs in with the passkey."""
    request, facts = await attempt(world, authenticator, **flaws)
    signed: SignedInSession = await world.call(request, **facts)
    return signed
