"""First sign-ins with a provider: whose account it is, and what the user has to prove first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.kit.callers import ADMIN, PASSWORD, as_user
from tests.kit.world import World

from common import acr
from common.contracts.email_codes import SignInWithCode, StartEmailCode
from common.contracts.invitations import InviteUser
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    GetLinkProof,
    LinkProofSpent,
    SendLinkProofCode,
)
from common.contracts.passwords import SignInWithPassword
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.sign_in import WrongCode, WrongCredentials
from common.contracts.users import DisableUser, GetUser
from common.ids import DASHBOARD

from .provider_stand_in import BROWSER, OTHER_BROWSER, ProviderStandIn, provider_account


async def test_the_subject_decides_and_not_the_address(
    world: World, providers: ProviderStandIn
) -> None:
    """Two users swap their addresses at the provider: each still signs in as themselves, and their own
    addresses here stay. The link has the new address."""
    ada = await providers.sign_in(provider_account("1", "ada@example.com"))
    bob = await providers.sign_in(provider_account("2", "bob@example.com"))
    assert ada.session is not None
    assert bob.session is not None
    ada_again = await providers.sign_in(provider_account("1", "bob@example.com"))
    bob_again = await providers.sign_in(provider_account("2", "ada@example.com"))
    assert ada_again.session is not None
    assert bob_again.session is not None
    assert ada_again.session.full().user_id == ada.session.full().user_id
    assert ada_again.session.full().email == "ada@example.com"
    assert bob_again.session.full().user_id == bob.session.full().user_id
    emails = await world.owner.fetch(
        "SELECT idp_user_id, idp_email FROM user_identity_links WHERE app_id = $1 ORDER BY 1",
        world.app_id,
    )
    assert [tuple(row) for row in emails] == [("1", "bob@example.com"), ("2", "ada@example.com")]


async def test_an_issuer_is_part_of_the_key(world: World, providers: ProviderStandIn) -> None:
    """The same subject of another issuer or at another provider is another user, and so is one that
    differs in case."""
    await providers.add("other")
    first = await providers.sign_in(provider_account("a", "a@example.com"))
    others = [
        await providers.sign_in(provider_account("A", "b@example.com")),
        await providers.sign_in(provider_account("a", "c@example.com", iss="https://b.example")),
        await providers.sign_in(provider_account("a", "d@example.com"), idp="other"),
    ]
    sessions = [one.session.full().user_id for one in (first, *others) if one.session]
    assert len(set(sessions)) == 4


async def test_simultaneous_first_sign_ins_make_one_user(
    world: World, providers: ProviderStandIn
) -> None:
    """Many tabs finish at the same moment: one user, one link, and each tab is signed in."""
    states = [(await providers.start())["state"] for _ in range(8)]
    outcomes = await asyncio.gather(*(providers.finish(s, provider_account()) for s in states))
    assert {one.kind for one in outcomes} == {"signed_in"}
    assert len(await providers.links()) == 1
    users = await world.owner.fetchval("SELECT count(*) FROM users WHERE app_id = $1", world.app_id)
    assert users == 1
    assert await world.event_types("user_created", "identity_linked") == [
        "user_created",
        "identity_linked",
    ]


async def test_both_sides_verified_link_by_themselves(
    world: World, providers: ProviderStandIn
) -> None:
    """An existing user with a verified address, and a provider that may speak for addresses."""
    user = await world.user("Ada@Example.com")
    outcome = await providers.sign_in()
    assert outcome.session is not None
    assert outcome.session.full().user_id == user.id
    assert await providers.links() == [(user.id, "ada-1")]
    ((_, event),) = [e for e in await world.events() if e[0] == "identity_linked"]
    assert (event["by"], event["provider"]) == ("verified_address", "acme")
    # The password still works: the address was proven before.
    await world.sign_in(user)


@pytest.mark.parametrize(
    ("provider", "account"),
    [
        ({"trusts_email": False}, {"email_verified": True}),
        ({"trusts_email": True}, {"email_verified": False}),
    ],
)
async def test_an_unverified_address_never_links_by_itself(
    world: World,
    providers: ProviderStandIn,
    provider: dict[str, Any],
    account: dict[str, Any],
) -> None:
    """Somebody gives their provider account the address of a user here. Nothing is linked, nothing tells
    whether the user exists, and the code goes to the owner of the address."""
    user = await world.user("ada@example.com")
    await providers.add("weak", **provider)
    before = await world.mails()
    for email in ("ada@example.com", "nobody@example.com"):
        outcome = await providers.sign_in(provider_account("eve", email, **account), idp="weak")
        assert (outcome.kind, outcome.session) == ("address_needed", None)
    assert await providers.links() == []
    assert await world.mails() == before

    assert outcome.link_proof is not None
    request = SendLinkProofCode(
        link_proof=outcome.link_proof, email="ada@example.com", browser=BROWSER
    )
    flow = await world.call(request)
    letter = await world.mail()
    assert (letter.kind, letter.to) == ("link_account", "ada@example.com")
    guess = FinishLinkProof(
        link_proof=outcome.link_proof, flow=flow.flow, code="000000", browser=BROWSER
    )
    assert isinstance(await world.refused(guess), WrongCode)
    assert await providers.links() == []
    assert (await world.call(GetUser(user_id=user.id), ADMIN)).email_verified


async def test_a_provider_without_an_address_asks_for_one(
    world: World, providers: ProviderStandIn
) -> None:
    """The user enters an address, proves it by mail, and gets an account. The next sign-in asks
    nothing."""
    nameless = provider_account("fb-1", None)
    outcome = await providers.sign_in(nameless, destination="/account/apps")
    assert outcome.kind == "address_needed"
    assert outcome.link_proof is not None
    shown = await world.call(GetLinkProof(link_proof=outcome.link_proof, browser=BROWSER))
    assert (shown.kind, shown.email, shown.provider) == ("address", None, "Acme")

    done = await providers.prove(outcome.link_proof, "new@example.com")
    assert (done.kind, done.destination) == ("signed_in", "/account/apps")
    assert done.session is not None
    session = done.session.full()
    assert (session.email, session.email_verified) == ("new@example.com", True)
    assert session.acr == acr.MAIL
    again = await providers.sign_in(nameless)
    assert again.session is not None
    assert again.session.full().user_id == session.user_id


async def test_an_unproven_account_here_needs_a_mail_first(
    world: World, providers: ProviderStandIn
) -> None:
    """Only the provider has verified the address: the account here may be a squatter's. Its owner proves
    the address by mail, and everything of the squatter ends: password, session, link and pending
    codes."""
    squatted = await world.user("ada@example.com", email_verified=False)
    squatter = await world.sign_in(squatted, browser=OTHER_BROWSER)
    await providers.add("evil")
    caller = as_user(squatter)
    state = (await providers.start_link(caller, "evil", OTHER_BROWSER))["state"]
    linked = await providers.finish(
        state, provider_account("eve", None), idp="evil", browser=OTHER_BROWSER, caller=caller
    )
    assert linked.kind == "linked"
    half_way = (await providers.start_link(caller, "acme", OTHER_BROWSER))["state"]

    outcome = await providers.sign_in()
    assert outcome.kind == "account_needed"
    assert outcome.link_proof is not None
    assert await world.live_session(squatter.token) is not None
    assert len(await providers.links()) == 1

    done = await providers.prove(outcome.link_proof)
    assert done.session is not None
    session = await world.live_session(done.session.token)
    assert session is not None
    assert (session.user_id, session.email_verified) == (squatted.id, True)
    assert await world.live_session(squatter.token) is None
    request = SignInWithPassword(email="ada@example.com", password=PASSWORD)
    assert isinstance(await world.refused(request), WrongCredentials)
    assert await providers.links() == [(squatted.id, "ada-1")]
    late = await providers.finish(
        half_way, provider_account("eve-2", None), browser=OTHER_BROWSER, caller=caller
    )
    assert late.failure == "over"
    types = await world.event_types("unproven_credentials_ended", "identity_unlinked")
    assert types == ["identity_unlinked", "unproven_credentials_ended"]


async def test_the_users_own_browser_keeps_their_credentials(
    world: World, providers: ProviderStandIn
) -> None:
    """The user signed in with the password in this browser before: they are the same person."""
    user = await world.user("ada@example.com", email_verified=False)
    await world.sign_in(user, browser=BROWSER)
    outcome = await providers.sign_in()
    assert outcome.link_proof is not None
    assert (await providers.prove(outcome.link_proof)).kind == "signed_in"
    await world.sign_in(user)


async def test_a_second_account_of_a_provider_is_not_the_old_user(
    world: World, providers: ProviderStandIn
) -> None:
    """A new employee gets the address of a former one: another subject. They do not get the account, not
    even by mail."""
    former = await providers.sign_in(provider_account("former", "team@example.com"))
    assert former.session is not None
    outcome = await providers.sign_in(provider_account("new", "team@example.com"))
    assert outcome.kind == "account_needed"
    assert outcome.link_proof is not None
    shown = await world.call(GetLinkProof(link_proof=outcome.link_proof, browser=BROWSER))
    assert not shown.by_mail
    mail = SendLinkProofCode(
        link_proof=outcome.link_proof, email="team@example.com", browser=BROWSER
    )
    assert isinstance(await world.refused(mail), LinkProofSpent)
    assert [subject for _, subject in await providers.links()] == ["former"]


async def test_link_policy_ask(world: World, providers: ProviderStandIn) -> None:
    """The user proves the existing account by a sign-in of another kind, and then connects it. A
    session from before the proof is not enough."""
    world.configure(world.app_id, link_policy="ask")
    user = await world.user("ada@example.com")
    old = await world.sign_in(user)
    outcome = await providers.sign_in()
    assert outcome.kind == "account_needed"
    assert outcome.link_proof is not None
    connect = ConnectProvenAccount(link_proof=outcome.link_proof, browser=BROWSER)
    earlier = replace(as_user(old), proven_at=1)
    assert isinstance(await world.refused(connect, earlier), FreshSignInNeeded)

    fresh = await world.sign_in(user)
    elsewhere = ConnectProvenAccount(link_proof=outcome.link_proof, browser=OTHER_BROWSER)
    assert isinstance(await world.refused(elsewhere, as_user(fresh)), LinkProofSpent)
    stranger = await world.sign_in(await world.user("eve@example.com"))
    assert isinstance(await world.refused(connect, as_user(stranger)), LinkProofSpent)
    assert await providers.links() == []
    assert (await world.call(connect, as_user(fresh))).kind == "linked"
    assert await providers.links() == [(user.id, "ada-1")]
    assert isinstance(await world.refused(connect, as_user(fresh)), LinkProofSpent)
    assert (await providers.sign_in()).kind == "signed_in"


async def test_link_policy_never(world: World, providers: ProviderStandIn) -> None:
    """An existing account is not joined, however well both sides know the address."""
    world.configure(world.app_id, link_policy="never")
    await world.user("ada@example.com")
    outcome = await providers.sign_in()
    assert (outcome.kind, outcome.failure) == ("failed", "account_exists")

    unverified = await providers.sign_in(provider_account("2", email_verified=False))
    assert unverified.link_proof is not None
    assert (await providers.prove(unverified.link_proof)).failure == "account_exists"
    assert await providers.links() == []


async def test_a_proof_is_for_one_account_and_one_flow(
    world: World, providers: ProviderStandIn
) -> None:
    """The code that was mailed for one account at the provider does not link another, in whatever order
    they are started. A code for signing in proves no account, and a proof's code signs nobody in."""
    await world.user("ada@example.com", email_verified=False)
    first = await providers.sign_in(provider_account("subject-1"))
    second = await providers.sign_in(provider_account("subject-2"))
    assert first.link_proof is not None
    assert second.link_proof is not None
    send = SendLinkProofCode(link_proof=first.link_proof, email="ada@example.com", browser=BROWSER)
    flow = await world.call(send)
    code = (await world.mail()).code
    swapped = FinishLinkProof(
        link_proof=second.link_proof, flow=flow.flow, code=code, browser=BROWSER
    )
    assert isinstance(await world.refused(swapped), WrongCode)
    assert await providers.links() == []

    mailed = await world.call(StartEmailCode(email="ada@example.com", browser=BROWSER))
    signing_in = FinishLinkProof(
        link_proof=first.link_proof,
        flow=mailed.flow,
        code=(await world.mail()).code,
        browser=BROWSER,
    )
    assert isinstance(await world.refused(signing_in), WrongCode)
    flow = await world.call(send)
    request = SignInWithCode(flow=flow.flow, code=(await world.mail()).code)
    assert isinstance(await world.refused(request), WrongCode)


async def test_a_proof_dies_with_the_factors(world: World, providers: ProviderStandIn) -> None:
    """A change of password between the start of a proof and its code ends the proof."""
    world.configure(world.app_id, link_policy="ask")
    user = await world.user("ada@example.com")
    outcome = await providers.sign_in()
    assert outcome.link_proof is not None
    await world.owner.execute(
        "UPDATE users SET factor_epoch = factor_epoch + 1 WHERE app_id = $1 AND id = $2",
        world.app_id,
        user.id,
    )
    send = SendLinkProofCode(
        link_proof=outcome.link_proof, email="ada@example.com", browser=BROWSER
    )
    flow = await world.call(send)
    code = (await world.mail()).code
    request = FinishLinkProof(
        link_proof=outcome.link_proof, flow=flow.flow, code=code, browser=BROWSER
    )
    assert isinstance(await world.refused(request), LinkProofSpent)
    assert await providers.links() == []


async def test_a_proof_of_an_account_goes_to_its_address_alone(
    world: World, providers: ProviderStandIn
) -> None:
    """With another address, nobody proves that an existing account is theirs."""
    world.configure(world.app_id, link_policy="ask")
    await world.user("ada@example.com")
    outcome = await providers.sign_in()
    assert outcome.link_proof is not None
    send = SendLinkProofCode(
        link_proof=outcome.link_proof, email="eve@example.com", browser=BROWSER
    )
    assert isinstance(await world.refused(send), LinkProofSpent)


async def test_a_first_sign_in_is_a_sign_up(world: World, providers: ProviderStandIn) -> None:
    """A closed application, a blocked domain: the provider is no way round them, neither with a verified
    address nor with one that a mail proves."""
    world.configure(world.app_id, signup_mode="invite_only")
    closed = await providers.sign_in()
    assert closed.failure == "sign_up_closed"
    mailed = await providers.sign_in(provider_account("2", None))
    assert mailed.link_proof is not None
    send = SendLinkProofCode(link_proof=mailed.link_proof, email="new@example.com", browser=BROWSER)
    await world.call(send)
    assert (await world.mail()).kind == "no_account"

    world.configure(world.app_id, blocked_email_domains=["example.com"])
    assert (await providers.sign_in()).failure == "email_refused"
    assert await providers.links() == []
    assert await world.event_types("user_created") == []
    assert ("sign_up", "by invitation only") in await providers.failures()


async def test_an_organizations_invitation_admits_its_recipient(
    world: World, providers: ProviderStandIn
) -> None:
    """The invitation that opened a closed application for a sign-up by mail opens it here too, for its
    own address."""
    world.configure(
        world.app_id, signup_mode="invite_only", signup_by_organization_invitations=True
    )
    world.stand_ins.tenancy.offers[world.app_id, "token"] = "ada@example.com"
    other = provider_account("2", "eve@example.com")
    assert (await providers.sign_in(other, invitation="token")).failure == "sign_up_closed"
    assert (await providers.sign_in(invitation="token")).kind == "signed_in"


async def _pending(world: World) -> bool:
    return bool(
        await world.owner.fetchval(
            "SELECT accepted_at IS NULL FROM user_invitations WHERE app_id = $1", world.app_id
        )
    )


@pytest.mark.parametrize("mode", ["open", "invite_only"])
async def test_an_invitation_into_the_application(
    world: World, providers: ProviderStandIn, mode: str
) -> None:
    """It admits its own address. An account with another verified address is refused, whether the
    application is open or not, and the invitation stays unused. Its roles go to the new user."""
    world.configure(world.app_id, signup_mode=mode)
    await world.call(InviteUser(email="ada@example.com", role_ids=["member"]), ADMIN)
    token = (await world.mail()).token
    other = provider_account("2", "eve@example.com")
    assert (await providers.sign_in(other, invitation=token)).failure == "other_invitation"
    assert await _pending(world)
    assert await world.event_types("user_created") == []

    signed = await providers.sign_in(invitation=token)
    assert signed.session is not None
    user_id = signed.session.full().user_id
    assert not await _pending(world)
    # The default role, and that of the invitation.
    assert world.stand_ins.rbac.roles == [(world.app_id, user_id, False)] * 2


async def test_a_disabled_user_stays_out(world: World, providers: ProviderStandIn) -> None:
    """The provider is no way round a disabled account."""
    first = await providers.sign_in()
    assert first.session is not None
    await world.call(DisableUser(user_id=first.session.full().user_id), ADMIN)
    outcome = await providers.sign_in()
    assert (outcome.failure, outcome.session) == ("account_disabled", None)


async def test_the_operators_address_needs_a_provider_that_may_speak_for_it(
    world: World, providers: ProviderStandIn
) -> None:
    """The deployment's operator signs in with a provider. A provider that may not speak for addresses
    makes nobody operator."""
    world.configure(DASHBOARD, signup_mode="invite_only")
    await world.owner.execute("DELETE FROM users WHERE app_id = $1", DASHBOARD)
    world.app_id = DASHBOARD
    boss = provider_account("boss", "boss@example.com")
    await providers.add("weak", trusts_email=False)
    await providers.add("strong")
    assert (await providers.sign_in(boss, idp="weak")).kind == "address_needed"
    assert world.stand_ins.rbac.roles == []
    outcome = await providers.sign_in(boss, idp="strong")
    assert outcome.session is not None
    assert world.stand_ins.rbac.roles == [(DASHBOARD, outcome.session.full().user_id, True)]
    stranger = provider_account("eve", "eve@example.com")
    assert (await providers.sign_in(stranger, idp="strong")).failure == "sign_up_closed"
    await world.owner.execute("DELETE FROM users WHERE app_id = $1", DASHBOARD)
    await world.owner.execute("DELETE FROM identity_providers WHERE app_id = $1", DASHBOARD)
