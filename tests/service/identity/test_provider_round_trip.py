"""A whole sign-in with a provider: our request, its answer over HTTP, and the session."""

from __future__ import annotations

from tests.kit.callers import as_user
from tests.kit.identity_provider import OpenIdProvider, ProviderServer
from tests.kit.provider_sign_in import new_provider
from tests.kit.world import World

from common.caller import Caller
from common.contracts.provider_sign_in import (
    FinishProviderSignIn,
    ProviderOutcome,
    StartProviderSignIn,
    StartProviderStepUp,
)

from .provider_stand_in import BROWSER, parameters

ISSUER = "https://op.example"
ADDRESS = {"email": "ada@example.com", "email_verified": True, "name": "Ada Lovelace"}


async def finish(
    world: World, op: OpenIdProvider, idp: str, url: str, caller: Caller | None = None
) -> ProviderOutcome:
    """Lets the user agree at the provider, and brings its response back."""
    response = {"code": op.authorize(url), "iss": ISSUER}
    request = FinishProviderSignIn(
        idp=idp, state=parameters(url)["state"], browser=BROWSER, response=response
    )
    return await world.call(request, caller)


async def test_a_sign_in_over_http(world: World, server: ProviderServer) -> None:
    """Discovery, PKCE, the token call and the ID token are real; the second sign-in finds the user of the
    first. The redirect URI is that of the application's own host."""
    op = OpenIdProvider(server, ISSUER, claims=ADDRESS).install()
    provider = await new_provider(world, issuer=ISSUER, trusts_email=True)
    users = []
    for _ in range(2):
        start = StartProviderSignIn(idp=provider.name, browser=BROWSER)
        url = (await world.call(start)).url
        callback = parameters(url)["redirect_uri"]
        assert callback == f"https://shop.id.example.org/rp/callback/{provider.name}"
        outcome = await finish(world, op, provider.name, url)
        assert outcome.kind == "signed_in"
        assert outcome.session is not None
        users.append(outcome.session.full().user_id)
        assert outcome.session.full().email == "ada@example.com"
    assert users[0] == users[1]


async def test_a_wrong_id_token_signs_nobody_in(world: World, server: ProviderServer) -> None:
    """A token with the nonce of another sign-in: the event says what was wrong."""
    op = OpenIdProvider(server, ISSUER, claims={**ADDRESS, "nonce": "another"}).install()
    provider = await new_provider(world, issuer=ISSUER, trusts_email=True)
    url = (await world.call(StartProviderSignIn(idp=provider.name, browser=BROWSER))).url
    outcome = await finish(world, op, provider.name, url)
    assert outcome.failure == "provider_failed"
    ((_, event),) = [e for e in await world.events() if e[0] == "idp_sign_in_failed"]
    assert (event["step"], event["purpose"]) == ("id_token", "sign_in")
    assert "nonce" in event["detail"]


async def test_a_confirmation_over_http(world: World, server: ProviderServer) -> None:
    """The provider asks its user again and says when: the session is confirmed."""
    op = OpenIdProvider(server, ISSUER, claims=ADDRESS).install()
    provider = await new_provider(world, issuer=ISSUER, trusts_email=True)
    url = (await world.call(StartProviderSignIn(idp=provider.name, browser=BROWSER))).url
    signed = await finish(world, op, provider.name, url)
    assert signed.session is not None
    caller = as_user(signed.session)
    url = (await world.call(StartProviderStepUp(idp=provider.name, browser=BROWSER), caller)).url
    assert parameters(url)["max_age"] == "60"
    op.claims["auth_time"] = int(await world.owner.fetchval("SELECT extract(epoch FROM now())"))
    confirmed = await finish(world, op, provider.name, url, caller=caller)
    assert confirmed.session is not None
    assert confirmed.session.full().factor_times["provider"] == op.claims["auth_time"]
