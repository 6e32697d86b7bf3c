"""Connected accounts: connecting and disconnecting them as a signed-in user, and as an administrator."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.kit.callers import ADMIN, as_user, now
from tests.kit.world import World

from common.contracts.guests import CreateGuest
from common.contracts.identities import (
    IdentityNotFound,
    ListMyIdentities,
    ListUserIdentities,
    TooManyIdentities,
    UnlinkMyIdentity,
    UnlinkUserIdentity,
)
from common.contracts.link_proofs import ConnectProvenAccount, LinkProofSpent
from common.contracts.provider_sign_in import StartProviderLink
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.sign_in import LastWayIn
from common.contracts.users import UserNotFound
from common.ids import new_id
from common.problems import Problem
from identity import identity_linking

from .provider_stand_in import BROWSER, OTHER_BROWSER, ProviderStandIn, provider_account


async def test_a_user_connects_an_account(world: World, providers: ProviderStandIn) -> None:
    """The account signs this user in from then on, whatever its address. The account page lists it."""
    user = await world.user("ada@example.com")
    caller = as_user(await world.sign_in(user))
    sent = await providers.start_link(caller)
    assert sent["prompt"] == "select_account"
    account = provider_account("ada-2", "ada@home.example", email_verified=False)
    outcome = await providers.finish(sent["state"], account, caller=caller)
    assert (outcome.kind, outcome.destination) == ("linked", "/account/connections")

    (identity,) = (await world.call(ListMyIdentities(), caller)).identities
    assert (identity.provider_name, identity.provider_user_id) == ("acme", "ada-2")
    assert (identity.email, identity.name) == ("ada@home.example", "ada")
    signed = await providers.sign_in(account)
    assert signed.session is not None
    assert signed.session.full().user_id == user.id
    assert signed.session.full().email == "ada@example.com"
    ((_, event),) = [e for e in await world.events() if e[0] == "identity_linked"]
    assert event["by"] == "user"


async def test_the_tokens_of_a_provider_are_sealed(
    world: World, providers: ProviderStandIn
) -> None:
    """Neither a table nor an event has a token of the provider in the clear."""
    await providers.sign_in()
    row = await world.owner.fetchrow(
        "SELECT access_token_sealed, refresh_token_sealed FROM user_identity_links"
        " WHERE app_id = $1",
        world.app_id,
    )
    assert row is not None
    assert "access-of-ada-1" not in str(row)
    assert "access-of-ada-1" not in str(await world.events())


async def test_a_link_that_another_browser_or_user_ends_connects_nothing(
    world: World, providers: ProviderStandIn
) -> None:
    """An attacker starts to connect their account and has the victim's browser finish, or the browser
    switches accounts in between. Nobody gets a link."""
    ada = as_user(await world.sign_in(await world.user("ada@example.com")))
    eve = as_user(await world.sign_in(await world.user("eve@example.com")))
    state = (await providers.start_link(eve, browser=OTHER_BROWSER))["state"]
    brought = await providers.finish(state, provider_account("eve", None), caller=ada)
    assert brought.failure == "other_browser"
    state = (await providers.start_link(ada))["state"]
    switched = await providers.finish(state, provider_account("eve", None), caller=eve)
    assert switched.failure == "other_account"
    state = (await providers.start_link(ada))["state"]
    nobody = await providers.finish(state, provider_account("eve", None))
    assert nobody.failure == "other_account"
    assert await providers.links() == []


async def test_two_users_never_share_an_account(world: World, providers: ProviderStandIn) -> None:
    """The second one learns that it is taken, also if both finish at the same moment."""
    callers = [
        as_user(await world.sign_in(await world.user(f"{name}@example.com")))
        for name in ("ada", "eve")
    ]
    states = [(await providers.start_link(caller))["state"] for caller in callers]
    outcomes = await asyncio.gather(
        *(
            providers.finish(state, provider_account("shared", None), caller=caller)
            for state, caller in zip(states, callers, strict=True)
        )
    )
    assert sorted(one.failure or one.kind for one in outcomes) == ["link_taken", "linked"]
    assert len(await providers.links()) == 1


async def test_the_number_of_connected_accounts_is_bounded(
    world: World, providers: ProviderStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two links that were started when one more was possible do not make two more."""
    monkeypatch.setattr(identity_linking, "MOST", 1)
    await providers.add("other")
    caller = as_user(await world.sign_in(await world.user("ada@example.com")))
    states = [(await providers.start_link(caller, idp=idp))["state"] for idp in ("acme", "other")]
    await providers.finish(states[0], provider_account("a"), caller=caller)
    with pytest.raises(TooManyIdentities):
        await providers.finish(states[1], provider_account("b"), idp="other", caller=caller)
    assert isinstance(
        await world.refused(StartProviderLink(idp="acme", browser=BROWSER), caller),
        TooManyIdentities,
    )
    assert len(await providers.links()) == 1


async def test_connecting_needs_a_fresh_sign_in(world: World, providers: ProviderStandIn) -> None:
    """A sign-in with a provider that does not say when it asked its user is not fresh: a stolen session
    at the provider connects and disconnects nothing here."""
    signed = await providers.sign_in()
    assert signed.session is not None
    caller = as_user(signed.session)
    (identity,) = (await world.call(ListMyIdentities(), caller)).identities
    for request in (
        StartProviderLink(idp="acme", browser=BROWSER),
        UnlinkMyIdentity(link_id=identity.id),
    ):
        assert isinstance(await world.refused(request, caller), FreshSignInNeeded)
    assert len(await providers.links()) == 1


@pytest.mark.parametrize("methods", [["oauth"], ["oauth", "password"]])
async def test_the_last_way_in_stays(
    world: World, providers: ProviderStandIn, methods: list[str]
) -> None:
    """A user with one provider and nothing else that the application allows keeps it, also if an administrator wants to
    remove it. With a second provider or a passkey, it may go."""
    await providers.add("other")
    signed = await providers.sign_in()
    assert signed.session is not None
    user_id, caller = (
        signed.session.full().user_id,
        replace(as_user(signed.session), proven_at=now()),
    )
    world.configure(world.app_id, auth_methods=methods)
    (identity,) = (await world.call(ListMyIdentities(), caller)).identities
    own = UnlinkMyIdentity(link_id=identity.id)
    assert isinstance(await world.refused(own, caller), LastWayIn)
    assert isinstance(
        await world.refused(UnlinkUserIdentity(user_id=user_id, link_id=identity.id), ADMIN),
        LastWayIn,
    )
    await _add_passkey(world, user_id)
    assert isinstance(await world.refused(own, caller), LastWayIn)
    world.configure(world.app_id, auth_methods=[*methods, "passkey"])
    await world.call(own, caller)
    assert await providers.links() == []
    assert await world.event_types("identity_unlinked") == ["identity_unlinked"]


async def test_a_disabled_provider_is_no_way_in(world: World, providers: ProviderStandIn) -> None:
    """A link of a provider that is switched off does not count, and may go itself."""
    await providers.add("other")
    signed = await providers.sign_in()
    assert signed.session is not None
    caller = replace(as_user(signed.session), proven_at=now())
    state = (await providers.start_link(caller, "other"))["state"]
    await providers.finish(state, provider_account("x", None), idp="other", caller=caller)
    world.configure(world.app_id, auth_methods=["oauth"])
    await world.owner.execute(
        "UPDATE identity_providers SET enabled = false WHERE app_id = $1 AND name = 'other'",
        world.app_id,
    )
    first, second = (await world.call(ListMyIdentities(), caller)).identities
    assert isinstance(await world.refused(UnlinkMyIdentity(link_id=first.id), caller), LastWayIn)
    await world.call(UnlinkMyIdentity(link_id=second.id), caller)


async def test_two_links_removed_at_once_leave_one(
    world: World, providers: ProviderStandIn
) -> None:
    """Two browsers each remove one of the last two ways in: one of them is refused."""
    await providers.add("other")
    signed = await providers.sign_in()
    assert signed.session is not None
    caller = replace(as_user(signed.session), proven_at=now())
    state = (await providers.start_link(caller, "other"))["state"]
    await providers.finish(state, provider_account("x", None), idp="other", caller=caller)
    world.configure(world.app_id, auth_methods=["oauth"])
    listed = (await world.call(ListMyIdentities(), caller)).identities
    outcomes = await asyncio.gather(
        *(world.call(UnlinkMyIdentity(link_id=one.id), caller) for one in listed),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, LastWayIn) for one in outcomes) == [False, True]
    assert len(await providers.links()) == 1


async def test_a_disconnected_account_starts_from_nothing(
    world: World, providers: ProviderStandIn
) -> None:
    """Disconnecting ends proofs of the same account and remembered devices. The next sign-in is a first
    one."""
    world.configure(world.app_id, link_policy="ask")
    user = await world.user("ada@example.com")
    old = await providers.sign_in()
    assert old.link_proof is not None
    waiting = await providers.sign_in()
    assert waiting.link_proof is not None
    caller = as_user(await world.sign_in(user))
    await world.call(ConnectProvenAccount(link_proof=old.link_proof, browser=BROWSER), caller)
    (identity,) = (await world.call(ListMyIdentities(), caller)).identities
    epoch = await world.owner.fetchval(
        "SELECT factor_epoch FROM users WHERE app_id = $1 AND id = $2", world.app_id, user.id
    )
    await world.call(UnlinkMyIdentity(link_id=identity.id), caller)
    raised = await world.owner.fetchval(
        "SELECT factor_epoch FROM users WHERE app_id = $1 AND id = $2", world.app_id, user.id
    )
    assert raised == epoch + 1
    for proof in (old.link_proof, waiting.link_proof):
        request = ConnectProvenAccount(link_proof=proof, browser=BROWSER)
        assert isinstance(await world.refused(request, caller), LinkProofSpent)
    assert (await providers.sign_in()).kind == "account_needed"
    assert await providers.links() == []


async def test_administrators_see_and_remove_links(
    world: World, providers: ProviderStandIn
) -> None:
    """Of any user of their application, and of no other."""
    user = await world.user("ada@example.com")
    await providers.sign_in()
    listed = await world.call(ListUserIdentities(user_id=user.id), ADMIN)
    (identity,) = listed.identities
    remove = UnlinkUserIdentity(user_id=user.id, link_id=identity.id)
    problems: list[Problem] = [
        await world.refused(remove, ADMIN, world.other_app_id),
        await world.refused(ListUserIdentities(user_id=new_id()), ADMIN),
        await world.refused(UnlinkUserIdentity(user_id=user.id, link_id=new_id()), ADMIN),
    ]
    assert [type(one) for one in problems] == [UserNotFound, UserNotFound, IdentityNotFound]
    stranger = await world.user("eve@example.com")
    other = UnlinkUserIdentity(user_id=stranger.id, link_id=identity.id)
    assert isinstance(await world.refused(other, ADMIN), IdentityNotFound)
    await world.call(remove, ADMIN)
    assert await providers.links() == []
    ((_, event),) = [e for e in await world.events() if e[0] == "identity_unlinked"]
    assert event["by"] == "administrator"


async def test_a_guest_becomes_a_user_with_the_same_id(
    world: World, providers: ProviderStandIn
) -> None:
    """By a first sign-in with a provider, and by connecting an account: the id stays, and the session of
    the guest is replaced."""
    world.configure(world.app_id, guests=True)
    for subject, connects in (("signs-in", False), ("connects", True)):
        signed = await world.call(CreateGuest(browser=BROWSER))
        guest = as_user(signed, guest=True)
        account = provider_account(subject, f"{subject}@example.com")
        started = await (providers.start_link(guest) if connects else providers.start())
        outcome = await providers.finish(started["state"], account, caller=guest)
        assert outcome.kind == "signed_in"
        assert outcome.session is not None
        assert outcome.session.full().user_id == guest.id
        assert await world.live_session(signed.token) is None
        again = await providers.sign_in(account)
        assert again.session is not None
        assert again.session.full().user_id == guest.id


async def test_a_guest_does_not_take_over_an_account(
    world: World, providers: ProviderStandIn
) -> None:
    """The provider's account belongs to a user already. Connecting it is a conflict and the guest stays;
    signing in leads to that user, and the log names both."""
    world.configure(world.app_id, guests=True)
    owner = await providers.sign_in()
    assert owner.session is not None
    signed = await world.call(CreateGuest(browser=BROWSER))
    guest = as_user(signed, guest=True)
    started = await providers.start_link(guest)
    taken = await providers.finish(started["state"], provider_account(), caller=guest)
    assert taken.failure == "link_taken"
    assert await world.live_session(signed.token) is not None
    started = await providers.start()
    outcome = await providers.finish(started["state"], provider_account(), caller=guest)
    assert outcome.session is not None
    assert outcome.session.full().user_id == owner.session.full().user_id
    ((_, event),) = [e for e in await world.events() if e[0] == "guest_kept"]
    assert (event["guest_id"], event["user_id"]) == (guest.id, outcome.session.full().user_id)


async def _add_passkey(world: World, user_id: str) -> None:
    await world.owner.execute(
        "INSERT INTO passkeys (app_id, id, user_id, credential_id, public_key, rp_id)"
        " VALUES ($1, $2, $3, $4, $4, 'shop.id.example.org')",
        world.app_id,
        new_id(),
        user_id,
        new_id().encode(),
    )
