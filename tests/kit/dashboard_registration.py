"""Fake services for the Dashboard's page of self-registration."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.base import Done, Request
from common.contracts.client_registration import (
    CreateInitialAccessToken,
    DeleteInitialAccessToken,
    InitialAccessToken,
    InitialAccessTokenNotFound,
    InitialAccessTokens,
    ListInitialAccessTokens,
    NewInitialAccessToken,
)
from common.contracts.settings_change import GetSettings
from common.ids import new_id

TEXT: Final = "iat_shown_once"


@dataclass
class FakeRegistration:
    """The initial access tokens of one application, and what the pages asked for."""

    settings: AppSettings = field(default_factory=AppSettings)
    tokens: list[InitialAccessToken] = field(default_factory=list)
    calls: list[Request[Any]] = field(default_factory=list)


async def _list(
    fake: FakeRegistration, ctx: Context, request: ListInitialAccessTokens
) -> InitialAccessTokens:
    ctx.allow(request.needs)
    return InitialAccessTokens(initial_access_tokens=fake.tokens)


async def _create(
    fake: FakeRegistration, ctx: Context, request: CreateInitialAccessToken
) -> NewInitialAccessToken:
    ctx.allow(request.needs)
    fake.calls.append(request)
    token = InitialAccessToken(
        id=new_id(),
        name=request.name,
        max_clients=request.max_clients,
        clients=0,
        expires_at=NOW + timedelta(seconds=request.expires_in),
        created_at=NOW,
    )
    fake.tokens.append(token)
    return NewInitialAccessToken(**token.model_dump(), token=TEXT)


async def _delete(fake: FakeRegistration, ctx: Context, request: DeleteInitialAccessToken) -> Done:
    ctx.allow(request.needs)
    fake.calls.append(request)
    if request.id not in [token.id for token in fake.tokens]:
        raise InitialAccessTokenNotFound
    fake.tokens = [token for token in fake.tokens if token.id != request.id]
    return Done()


async def _settings(fake: FakeRegistration, ctx: Context, request: GetSettings) -> AppSettings:
    ctx.allow(request.needs)
    return fake.settings


def fake_registration(people: Developers) -> FakeRegistration:
    """Registers the fake services for the page of self-registration."""
    fake = FakeRegistration()
    people.world.bus.serve(
        fake,
        {
            ListInitialAccessTokens: _list,
            CreateInitialAccessToken: _create,
            DeleteInitialAccessToken: _delete,
            GetSettings: _settings,
        },
    )
    return fake
