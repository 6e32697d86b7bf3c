"""States and responses: a browser brings them back from a provider, and each can be wrong."""

from __future__ import annotations

import asyncio

import pytest
from tests.kit.callers import ADMIN, as_user
from tests.kit.world import World

from common.contracts.identity_providers import (
    CreateIdentityProvider,
    DeleteIdentityProvider,
    ProviderNotFound,
    UpdateIdentityProvider,
)
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    KeepFormPost,
    ProviderAway,
    ProviderResponseSpent,
    StartProviderSignIn,
)
from common.contracts.sign_in import MethodOff
from identity.providers.failures import ProviderFailed

from .provider_stand_in import BROWSER, OTHER_BROWSER, ProviderStandIn, provider_account


async def test_a_sign_in_with_a_provider_starts_a_session(
    world: World, providers: ProviderStandIn
) -> None:
    """The session names the provider, proves one factor and no more, and the log has it."""
    outcome = await providers.sign_in(destination="/account/security")

    assert (outcome.kind, outcome.destination) == ("signed_in", "/account/security")
    assert outcome.session is not None
    session = await world.live_session(outcome.session.token)
    assert session is not None
    assert (session.email, session.email_verified) == ("ada@example.com", True)
    assert session.name == "Ada Lovelace"
    assert session.amr == []
    assert list(session.factor_times) == ["provider"]
    named = await world.owner.fetchval(
        "SELECT idp_name FROM user_sessions WHERE app_id = $1 AND id = $2",
        world.app_id,
        session.id,
    )
    assert named == "acme"
    assert ("login", "idp") in [(kind, e.get("method")) for kind, e in await world.events()]


async def test_several_tabs_finish(world: World, providers: ProviderStandIn) -> None:
    """Two sign-ins of one browser are independent: both finish, in any order."""
    first, second = await providers.start(), await providers.start()
    assert first["state"] != second["state"]

    later = await providers.finish(second["state"], provider_account())
    earlier = await providers.finish(first["state"], provider_account())
    assert (later.kind, earlier.kind) == ("signed_in", "signed_in")


@pytest.mark.fault("F27")
async def test_a_state_is_used_once(world: World, providers: ProviderStandIn) -> None:
    """Back and reload get a page; simultaneous uses of one state sign in once."""
    state = (await providers.start())["state"]
    outcomes = await asyncio.gather(
        *(providers.finish(state, provider_account()) for _ in range(5))
    )
    assert sorted(one.kind for one in outcomes) == ["failed"] * 4 + ["signed_in"]
    again = await providers.finish(state, provider_account())
    assert (again.kind, again.failure) == ("failed", "over")
    assert ("state", "used") in await providers.failures()


async def test_a_state_ends_after_ten_minutes(world: World, providers: ProviderStandIn) -> None:
    """An old state is refused, although its code is good."""
    state = (await providers.start())["state"]
    await world.owner.execute(
        "UPDATE oauth_state SET expires_at = now() - interval '1 second' WHERE app_id = $1",
        world.app_id,
    )
    outcome = await providers.finish(state, provider_account())
    assert outcome.failure == "over"
    assert await providers.failures() == [("state", "expired")]


async def test_a_state_belongs_to_its_provider(world: World, providers: ProviderStandIn) -> None:
    """A state of one provider at the callback of another is refused, and stays unused."""
    await providers.add("evil", issuer="https://evil.example")
    state = (await providers.start("acme"))["state"]

    mixed = await providers.finish(state, provider_account(), idp="evil")
    assert (mixed.kind, mixed.failure) == ("failed", "over")
    assert await providers.failures() == [("state", "other_provider")]
    assert (await providers.finish(state, provider_account())).kind == "signed_in"


async def test_a_state_belongs_to_its_browser(world: World, providers: ProviderStandIn) -> None:
    """Somebody else's state and code sign nobody in, with another cookie or with none."""
    state = (await providers.start(browser=OTHER_BROWSER))["state"]
    brought = await providers.finish(state, provider_account(), browser=BROWSER)
    assert brought.failure == "other_browser"
    without = await providers.finish(state, provider_account(), browser=None)
    assert without.failure == "other_browser"
    assert await providers.links() == []


async def test_a_state_belongs_to_its_application(world: World, providers: ProviderStandIn) -> None:
    """Another application with a provider of the same name does not know the state."""
    await providers.add(app_id=world.other_app_id)
    state = (await providers.start())["state"]
    request = FinishProviderSignIn(
        idp="acme", state=state, browser=BROWSER, response={"code": "any"}
    )
    outcome = await world.call(request, app_id=world.other_app_id)
    assert outcome.failure == "over"


async def test_a_posted_response_waits_for_the_browser(
    world: World, providers: ProviderStandIn
) -> None:
    """A provider posts its response without the browser's cookie. The browser then comes with the
    state alone. The response is stored once, and not in the clear."""
    state = (await providers.start())["state"]
    providers.accounts["posted-code"] = provider_account()
    posted = KeepFormPost(idp="acme", state=state, response={"code": "posted-code"})
    await world.call(posted)
    stored = await world.owner.fetchval(
        "SELECT response_sealed FROM oauth_state WHERE app_id = $1", world.app_id
    )
    assert "posted-code" not in stored
    forged = KeepFormPost(idp="acme", state=state, response={"code": "forged"})
    assert isinstance(await world.refused(forged), ProviderResponseSpent)

    stranger = await providers.finish(state, browser=OTHER_BROWSER)
    assert stranger.failure == "other_browser"
    assert (await providers.finish(state)).kind == "signed_in"


async def test_a_posted_response_needs_a_waiting_state(
    world: World, providers: ProviderStandIn
) -> None:
    """An unknown state, or that of another provider, takes no response."""
    await providers.add("evil")
    state = (await providers.start())["state"]
    for idp, name in (("acme", "unknown"), ("evil", state), ("none", state)):
        request = KeepFormPost(idp=idp, state=name, response={"code": "c"})
        assert isinstance(await world.refused(request), ProviderResponseSpent), (idp, name)


async def test_a_provider_that_is_switched_off_meanwhile_signs_nobody_in(
    world: World, providers: ProviderStandIn
) -> None:
    """Whether it is switched off before the response or while the provider answers, nothing starts."""

    async def switch(enabled: bool) -> None:
        await world.owner.execute(
            "UPDATE identity_providers SET enabled = $2 WHERE app_id = $1", world.app_id, enabled
        )

    state = (await providers.start())["state"]
    await switch(False)
    assert (await providers.finish(state, provider_account())).failure == "provider_off"
    start = StartProviderSignIn(idp="acme", browser=BROWSER)
    assert isinstance(await world.refused(start), ProviderNotFound)
    await switch(True)
    state = (await providers.start())["state"]
    providers.before_answer = [lambda: switch(False)]
    assert (await providers.finish(state, provider_account())).failure == "provider_off"
    assert await providers.links() == []
    assert await world.event_types("user_created", "login") == []


async def test_a_provider_that_is_deleted_meanwhile_signs_nobody_in(
    world: World, providers: ProviderStandIn
) -> None:
    """Its callback says that it is gone."""
    state = (await providers.start())["state"]
    await world.owner.execute("DELETE FROM identity_providers WHERE app_id = $1", world.app_id)
    outcome = await providers.finish(state, provider_account())
    assert outcome.failure == "provider_off"
    assert await providers.failures() == [("provider", "unknown")]


async def test_providers_need_their_method(world: World, providers: ProviderStandIn) -> None:
    """Without `oauth` in auth_methods there is no start, and no end of what was started."""
    state = (await providers.start())["state"]
    world.configure(world.app_id, auth_methods=["password"])

    request = StartProviderSignIn(idp="acme", browser=BROWSER)
    assert isinstance(await world.refused(request), MethodOff)
    assert (await providers.finish(state, provider_account())).failure == "provider_off"


async def test_a_user_may_change_their_mind(world: World, providers: ProviderStandIn) -> None:
    """`access_denied` has a sentence of its own, and the event has the provider's words."""
    state = (await providers.start(destination="/account/security"))["state"]
    outcome = await providers.finish(
        state, error="access_denied", error_description="The user said no\r\nX-Evil: 1"
    )
    assert (outcome.failure, outcome.destination) == ("cancelled", "/account/security")
    ((step, detail),) = await providers.failures()
    assert step == "response"
    assert detail == "access_denied The user said no  X-Evil: 1"


async def test_a_failure_at_the_provider_is_one_sentence_and_a_precise_event(
    world: World, providers: ProviderStandIn
) -> None:
    """A changed secret, an outage or a forged issuer: the user reads the same, the developer learns
    where and why."""
    failures = [
        ("token", "invalid_client"),
        ("discovery", "no answer in 5 seconds"),
        ("id_token", "the nonce differs"),
    ]
    for step, detail in failures:
        state = (await providers.start())["state"]
        providers.failure = ProviderFailed(step, detail)  # type: ignore[arg-type]
        outcome = await providers.finish(state, provider_account())
        assert (outcome.kind, outcome.failure) == ("failed", "provider_failed")
        providers.failure = None
    state = (await providers.start())["state"]
    forged = await providers.finish(state, provider_account(), iss="https://evil.example")
    assert forged.failure == "provider_failed"
    assert await providers.failures() == [*failures, ("issuer", "another issuer")]
    assert await providers.links() == []


async def test_a_provider_that_cannot_be_reached_starts_nothing(
    world: World, providers: ProviderStandIn
) -> None:
    """The page says that the provider is away, and the log says why."""
    providers.failure = ProviderFailed("discovery", "no answer")
    request = StartProviderSignIn(idp="acme", browser=BROWSER)
    assert isinstance(await world.refused(request), ProviderAway)
    assert await providers.failures() == [("discovery", "no answer")]


async def test_a_confirmation_needs_a_fresh_sign_in_at_the_provider(
    world: World, providers: ProviderStandIn
) -> None:
    """A provider that does not say when the user authenticated confirms nothing. One that does
    replaces the session, and moves the time of the factor."""
    first = await providers.sign_in()
    assert first.session is not None
    caller = as_user(first.session)
    sent = await providers.start_step_up(caller)
    assert (sent["max_age"], sent["prompt"]) == ("60", "login")
    stale = await providers.finish(sent["state"], provider_account(), caller=caller)
    assert stale.failure == "not_fresh"

    at = await world.owner.fetchval("SELECT now()")
    sent = await providers.start_step_up(caller)
    fresh = provider_account(auth_time=at)
    done = await providers.finish(sent["state"], fresh, caller=caller)
    assert done.session is not None
    assert await world.live_session(first.session.token) is None
    session = await world.live_session(done.session.token)
    assert session is not None
    assert session.user_id == first.session.full().user_id


async def test_a_confirmation_is_not_for_another_account(
    world: World, providers: ProviderStandIn
) -> None:
    """The account of somebody else at the provider does not confirm the session."""
    first = await providers.sign_in()
    assert first.session is not None
    caller = as_user(first.session)
    at = await world.owner.fetchval("SELECT now()")
    sent = await providers.start_step_up(caller)
    other = provider_account("eve-1", "eve@example.com", auth_time=at)
    assert (await providers.finish(sent["state"], other, caller=caller)).failure == "other_account"


async def test_a_confirmation_is_for_the_session_that_started_it(
    world: World, providers: ProviderStandIn
) -> None:
    """Another session of the same user is not confirmed by it, and stays as it is."""
    first, second = await providers.sign_in(), await providers.sign_in()
    assert first.session is not None
    assert second.session is not None
    at = await world.owner.fetchval("SELECT now()")
    sent = await providers.start_step_up(as_user(first.session))
    fresh = provider_account(auth_time=at)
    done = await providers.finish(sent["state"], fresh, caller=as_user(second.session))
    assert done.failure == "other_account"
    assert await world.live_session(second.session.token) is not None


async def test_an_error_without_a_state_is_explained(
    world: World, providers: ProviderStandIn
) -> None:
    """Some providers leave the state out of their errors. The user starts again, and the event names the
    error."""
    outcome = await providers.finish("", error="invalid_scope")
    assert (outcome.kind, outcome.failure) == ("failed", "over")
    assert await providers.failures() == [("state", "invalid_scope without a state")]


async def test_a_changed_provider_is_announced(world: World, providers: ProviderStandIn) -> None:
    """Creating, changing and deleting a provider tells every gateway to forget its list of buttons."""
    settings = {
        "display_name": "Other",
        "type": "oauth2",
        "client_id": "c",
        "authorization_endpoint": "https://idp.example/a",
        "token_endpoint": "https://idp.example/t",
        "userinfo_endpoint": "https://idp.example/u",
        "claim_mapping": {"subject": ["id"]},
    }
    request = CreateIdentityProvider(name="other", client_secret="s", settings=settings)
    created = await world.call(request, ADMIN)
    changes = {"enabled": False}
    await world.call(UpdateIdentityProvider(provider=created.id, changes=changes), ADMIN)
    await world.call(DeleteIdentityProvider(provider=created.id), ADMIN)
    heard = [one for one in world.invalidation.published if one[1] == "identity_provider"]
    assert heard == [(world.app_id, "identity_provider", "*")] * 3
