"""Tokens of users at providers: stored if the row says so, refreshed once, for the backend alone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.kit.callers import ADMIN, as_user
from tests.kit.world import World
from tests.service.identity.provider_stand_in import ProviderStandIn, provider_account

from common.context import SYSTEM_CALLER, Caller
from common.contracts.identities import IdentityNotFound, ListUserIdentities
from common.contracts.provider_sign_in import ProviderAway
from common.contracts.provider_tokens import (
    GetProviderToken,
    OnlyForBackends,
    ProviderTokenMissing,
)
from common.ids import new_id
from common.problems import Forbidden
from identity import provider_tokens
from identity.providers.account import ProviderTokens
from identity.providers.failures import ProviderFailed
from identity.providers.token_call import TokenRefused


@dataclass
class Refreshes:
    """Answers for the token endpoint. `accepted` is the refresh token that it takes next."""

    accepted: str = "refresh"
    calls: list[str] = field(default_factory=list)
    failure: Exception | None = None
    life: timedelta = timedelta(hours=1)

    async def __call__(
        self, _: Any, ctx: Any, provider: Any, *, refresh_token: str
    ) -> ProviderTokens:
        self.calls.append(refresh_token)
        await asyncio.sleep(0.2)
        if self.failure is not None:
            raise self.failure
        if refresh_token != self.accepted:
            raise TokenRefused("invalid_grant", 400)
        self.accepted = f"refresh-{len(self.calls)}"
        return ProviderTokens(
            access=f"access-{len(self.calls)}",
            refresh=self.accepted,
            expires_at=datetime.now(UTC) + self.life,
        )


@pytest.fixture
def refreshes(monkeypatch: pytest.MonkeyPatch) -> Refreshes:
    answers = Refreshes()
    monkeypatch.setattr(provider_tokens, "refreshed_tokens", answers)
    return answers


async def _link(
    world: World, providers: ProviderStandIn, *, expires: int | None = -10, **options: Any
) -> GetProviderToken:
    """Signs in at a provider that stores tokens. `expires` is in seconds from now."""
    options = {"store_tokens": True, **options}
    await providers.add("kept", options=json.dumps(options))
    at = None if expires is None else datetime.now(UTC) + timedelta(seconds=expires)
    tokens = ProviderTokens(access="first", refresh="refresh", expires_at=at, scopes=("repo",))
    outcome = await providers.sign_in(provider_account(tokens=tokens), idp="kept")
    assert outcome.session
    user_id = outcome.session.full().user_id
    listed = await world.call(ListUserIdentities(user_id=user_id), ADMIN)
    return GetProviderToken(user_id=user_id, link_id=listed.identities[0].id)


async def test_backend_reads_a_token(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """A token that has not expired is handed out without a call, and the event does not hold it."""
    request = await _link(world, providers, expires=3600)
    token = await world.call(request, ADMIN)

    assert (token.access_token, token.scopes, token.token_type) == ("first", ["repo"], "Bearer")
    assert refreshes.calls == []
    assert "first" not in repr(token)
    event = {"user_id": request.user_id, "link_id": request.link_id, "provider": "kept"}
    assert ("idp_token_read", event) in await world.events()
    listed = await world.call(ListUserIdentities(user_id=request.user_id), ADMIN)
    row = await world.owner.fetchrow(
        "SELECT * FROM user_identity_links WHERE app_id = $1", world.app_id
    )
    assert row is not None
    for place in (listed.model_dump_json(), str(dict(row)), str(await world.events())):
        assert "first" not in place
        assert "'refresh'" not in place


async def test_eight_callers_refresh_once(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """Eight callers at once cause one call to the provider, and all get the new token. The next
    refresh uses the new refresh token."""
    request = await _link(world, providers)
    tokens = await asyncio.gather(*(world.call(request, ADMIN) for _ in range(8)))
    assert {token.access_token for token in tokens} == {"access-1"}
    assert refreshes.calls == ["refresh"]

    await world.owner.execute(
        "UPDATE user_identity_links SET token_expires_at = now() WHERE app_id = $1", world.app_id
    )
    assert (await world.call(request, ADMIN)).access_token == "access-2"
    assert refreshes.calls == ["refresh", "refresh-1"]


async def test_a_short_life_is_refreshed_once(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """A token that always expires within a minute is refreshed once for each call, and handed out."""
    refreshes.life = timedelta(seconds=30)
    request = await _link(world, providers)
    assert (await world.call(request, ADMIN)).access_token == "access-1"
    assert refreshes.calls == ["refresh"]


async def test_never_for_users(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """A session never reads it: not the user's own, and not one with every permission. A client needs
    the permission."""
    request = await _link(world, providers)
    session = as_user(await world.sign_in(await world.user()))
    powerful = Caller("user", session.id, frozenset({"*"}), session_id=session.session_id)
    developer = Caller("developer", new_id(), frozenset({"idps:tokens"}))
    for caller in (powerful, developer, SYSTEM_CALLER):
        assert isinstance(await world.refused(request, caller), OnlyForBackends)
    for caller in (session, Caller("client", new_id(), frozenset({"idps:read", "users:read"}))):
        assert isinstance(await world.refused(request, caller), Forbidden)

    assert refreshes.calls == []
    assert "idp_token_read" not in [kind for kind, _ in await world.events()]
    client = Caller("client", new_id(), frozenset({"idps:tokens"}))
    assert (await world.call(request, client)).access_token == "access-1"


async def test_other_users_and_applications(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """A link of another user or application is not found."""
    request = await _link(world, providers)
    other = await world.user()
    wrong = GetProviderToken(user_id=other.id, link_id=request.link_id)

    assert isinstance(await world.refused(wrong, ADMIN), IdentityNotFound)
    assert isinstance(await world.refused(request, ADMIN, world.other_app_id), IdentityNotFound)


async def test_tokens_are_not_stored_by_default(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """Without `store_tokens` nothing is stored. Switching it off, or the provider, closes what is."""
    await providers.sign_in(provider_account("plain"))
    stored = await world.owner.fetchrow(
        "SELECT access_token_sealed, refresh_token_sealed, token_expires_at FROM user_identity_links"
        " WHERE app_id = $1",
        world.app_id,
    )
    assert stored is not None
    assert list(stored.values()) == [None, None, None]
    request = await _link(world, providers, expires=3600)
    for change in ("enabled = false", "enabled = true, options = '{}'"):
        await world.owner.execute(
            f"UPDATE identity_providers SET {change} WHERE app_id = $1", world.app_id
        )
        assert isinstance(await world.refused(request, ADMIN), ProviderTokenMissing)


async def test_refused_refresh_token_is_forgotten(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """If the provider refuses the refresh token, no further call is made: the user signs in again."""
    request = await _link(world, providers)
    refreshes.accepted = "another"
    for _ in range(2):
        assert isinstance(await world.refused(request, ADMIN), ProviderTokenMissing)
    assert refreshes.calls == ["refresh"]


async def test_provider_away(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """If the provider does not answer, the refresh token stays, and the next call tries again at once."""
    request = await _link(world, providers)
    refreshes.failure = ProviderFailed("token", "timeout")
    assert isinstance(await world.refused(request, ADMIN), ProviderAway)
    refreshes.failure = None

    assert (await world.call(request, ADMIN)).access_token == "access-2"


async def test_dead_process_blocks_nobody(
    world: World, providers: ProviderStandIn, refreshes: Refreshes
) -> None:
    """A process that died during a refresh holds the lease for some seconds only. A sign-in meanwhile
    brings newer tokens, which a late answer does not replace."""
    request = await _link(world, providers)
    await world.owner.execute(
        "UPDATE user_identity_links SET token_lease_until = now() + interval '1 second'"
        " WHERE app_id = $1",
        world.app_id,
    )
    assert (await world.call(request, ADMIN)).access_token == "access-1"
    await world.owner.execute(
        "UPDATE user_identity_links SET token_expires_at = now() WHERE app_id = $1", world.app_id
    )
    slow = asyncio.create_task(world.call(request, ADMIN))
    await asyncio.sleep(0.1)
    later = datetime.now(UTC) + timedelta(hours=2)
    newer = ProviderTokens(access="newer", refresh="newer-refresh", expires_at=later)
    await providers.sign_in(provider_account(tokens=newer), idp="kept")

    assert (await slow).access_token == "newer"
    assert (await world.call(request, ADMIN)).access_token == "newer"
