"""Fake services for the Dashboard's pages of identity providers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.base import Done, Request
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
    ProviderNotFound,
    ProviderReport,
    UpdateIdentityProvider,
)
from common.ids import new_id


@dataclass
class FakeProviders:
    """The providers of one application by id, and what the pages asked for. `problem` is raised by every
    write."""

    people: Developers
    providers: dict[str, IdentityProvider] = field(default_factory=dict)
    calls: list[Request[Any]] = field(default_factory=list)
    report: ProviderReport = field(default_factory=lambda: ProviderReport(passed=True, steps=[]))
    problem: Exception | None = None

    def add(self, name: str, **fields: Any) -> IdentityProvider:
        values: dict[str, Any] = {
            "display_name": name.title(),
            "client_id": "c",
            "client_secret": "********",
            "issuer": "https://login.example",
        }
        provider = IdentityProvider(
            id=new_id(), name=name, created_at=NOW, updated_at=NOW, **values | fields
        )
        self.providers[provider.id] = provider
        return provider

    def find(self, id: str) -> IdentityProvider:
        if id not in self.providers:
            raise ProviderNotFound
        return self.providers[id]

    def write(self, ctx: Context, request: Request[Any]) -> None:
        """Checks the right like the service, and remembers the call."""
        ctx.allow(type(request).needs)
        self.calls.append(request)
        if self.problem is not None:
            raise self.problem


async def _list(
    fake: FakeProviders, ctx: Context, request: ListIdentityProviders
) -> IdentityProviders:
    ctx.allow(request.needs)
    return IdentityProviders(idps=list(fake.providers.values()))


async def _get(fake: FakeProviders, ctx: Context, request: GetIdentityProvider) -> IdentityProvider:
    ctx.allow(request.needs)
    return fake.find(request.provider)


async def _create(
    fake: FakeProviders, ctx: Context, request: CreateIdentityProvider
) -> IdentityProvider:
    fake.write(ctx, request)
    return fake.add(request.name or "acme", preset=request.preset)


async def _update(
    fake: FakeProviders, ctx: Context, request: UpdateIdentityProvider
) -> IdentityProvider:
    fake.write(ctx, request)
    changed = {name: value for name, value in request.changes.items() if name != "options"}
    fake.providers[request.provider] = fake.find(request.provider).model_copy(update=changed)
    return fake.providers[request.provider]


async def _delete(fake: FakeProviders, ctx: Context, request: DeleteIdentityProvider) -> Done:
    fake.write(ctx, request)
    del fake.providers[request.provider]
    return Done()


async def _check(
    fake: FakeProviders, ctx: Context, request: CheckIdentityProvider
) -> ProviderReport:
    fake.write(ctx, request)
    return fake.report


def fake_providers(people: Developers) -> FakeProviders:
    """Registers the fake service for the pages of identity providers."""
    fake = FakeProviders(people)
    people.world.bus.serve(
        fake,
        {
            ListIdentityProviders: _list,
            GetIdentityProvider: _get,
            CreateIdentityProvider: _create,
            UpdateIdentityProvider: _update,
            DeleteIdentityProvider: _delete,
            CheckIdentityProvider: _check,
        },
    )
    return fake
