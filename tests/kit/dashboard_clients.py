"""Fake services for the Dashboard's pages of OAuth clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.authorization_check import (
    AuthorizationRuleResult,
    AuthorizationUrlReport,
    CheckAuthorizationUrl,
)
from common.contracts.base import Done, Request
from common.contracts.client_secrets import (
    ClientSecret,
    ClientSecretExists,
    ClientSecrets,
    DeleteClientSecret,
    ListClientSecrets,
    NewSecret,
    RotateClientSecret,
)
from common.contracts.clients import (
    Client,
    ClientExists,
    ClientFields,
    ClientNotFound,
    Clients,
    CreateClient,
    DeleteClient,
    GetClient,
    ListClients,
    NewClient,
    UpdateClient,
)
from common.contracts.consents import (
    Grant,
    Grants,
    ListClientGrants,
    RevokeClientGrants,
    RevokedGrants,
)
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ExchangePolicies,
    ExchangePolicy,
    ExchangePolicyFields,
    ListExchangePolicies,
)
from common.contracts.identity_providers import (
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
)
from common.ids import new_id

CLIENT_SECRET: Final = "cs_shown_once"


@dataclass
class FakeClients:
    """The clients of one application by client id, and what the pages asked for. `problem` is raised by
    every write."""

    people: Developers
    clients: dict[str, Client] = field(default_factory=dict)
    secrets: list[ClientSecret] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    calls: list[Request[Any]] = field(default_factory=list)
    policies: list[ExchangePolicy] = field(default_factory=list)
    providers: list[IdentityProvider] = field(default_factory=list)
    report: AuthorizationUrlReport | None = None
    problem: Exception | None = None

    def add(self, client_id: str, **fields: Any) -> Client:
        values: dict[str, Any] = {"name": "Tide", "redirect_uris": ["https://rp.example/cb"]}
        client = Client(
            id=new_id(),
            client_id=client_id,
            created_at=NOW,
            updated_at=NOW,
            **values | fields,
        )
        self.clients[client_id] = client
        return client

    def find(self, client: str) -> Client:
        if client not in self.clients:
            raise ClientNotFound
        return self.clients[client]

    def write(self, ctx: Context, request: Request[Any]) -> None:
        """Checks the right like the service, and remembers the call."""
        ctx.allow(type(request).needs)
        self.calls.append(request)
        if self.problem is not None:
            raise self.problem


async def _list(fake: FakeClients, ctx: Context, request: ListClients) -> Clients:
    ctx.allow(request.needs)
    fake.calls.append(request)
    of_source = [c for c in fake.clients.values() if request.source in (None, c.source)]
    return Clients(clients=of_source)


async def _get(fake: FakeClients, ctx: Context, request: GetClient) -> Client:
    ctx.allow(request.needs)
    return fake.find(request.client)


async def _create(fake: FakeClients, ctx: Context, request: CreateClient) -> NewClient:
    fake.write(ctx, request)
    if any(client.id == request.id for client in fake.clients.values()):
        raise ClientExists
    fields = {name: getattr(request, name) for name in ClientFields.model_fields}
    new = fake.add(f"client_{len(fake.clients)}", **fields)
    fake.clients[new.client_id] = new.model_copy(update={"id": request.id})
    secret = CLIENT_SECRET if request.type in ("web", "service") else None
    return NewClient(**new.model_dump(), client_secret=secret)


async def _update(fake: FakeClients, ctx: Context, request: UpdateClient) -> Client:
    fake.write(ctx, request)
    changed = fake.find(request.client).model_copy(update=request.changes)
    fake.clients[request.client] = changed
    return changed


async def _delete(fake: FakeClients, ctx: Context, request: DeleteClient) -> Done:
    fake.write(ctx, request)
    del fake.clients[request.client]
    return Done()


async def _secrets(fake: FakeClients, ctx: Context, request: ListClientSecrets) -> ClientSecrets:
    fake.find(request.client)
    return ClientSecrets(secrets=fake.secrets)


async def _rotate(fake: FakeClients, ctx: Context, request: RotateClientSecret) -> NewSecret:
    fake.write(ctx, request)
    if any(secret.id == request.id for secret in fake.secrets):
        raise ClientSecretExists
    secret = ClientSecret(id=request.id or new_id(), hint="once", created_at=NOW)
    fake.secrets.append(secret)
    return NewSecret(**secret.model_dump(), client_id=request.client, client_secret=CLIENT_SECRET)


async def _revoke(fake: FakeClients, ctx: Context, request: DeleteClientSecret) -> Done:
    fake.write(ctx, request)
    fake.secrets = [secret for secret in fake.secrets if secret.id != request.secret_id]
    return Done()


async def _grants(fake: FakeClients, ctx: Context, request: ListClientGrants) -> Grants:
    fake.find(request.client)
    return Grants(grants=fake.grants)


async def _take_back(fake: FakeClients, ctx: Context, request: RevokeClientGrants) -> RevokedGrants:
    fake.write(ctx, request)
    return RevokedGrants(revoked_count=1)


async def _check(
    fake: FakeClients, ctx: Context, request: CheckAuthorizationUrl
) -> AuthorizationUrlReport:
    ctx.allow(request.needs)
    fake.calls.append(request)
    refused = AuthorizationRuleResult(
        rule="client", outcome="refused", error="invalid_request", detail="the client is unknown"
    )
    return fake.report or AuthorizationUrlReport(
        accepted=False, error_goes_to="user", rules=[refused]
    )


async def _policies(
    fake: FakeClients, ctx: Context, request: ListExchangePolicies
) -> ExchangePolicies:
    fake.find(request.client)
    return ExchangePolicies(policies=fake.policies)


async def _allow(fake: FakeClients, ctx: Context, request: CreateExchangePolicy) -> ExchangePolicy:
    fake.write(ctx, request)
    fields = {name: getattr(request, name) for name in ExchangePolicyFields.model_fields}
    policy = ExchangePolicy(id=new_id(), client_id=request.client, created_at=NOW, **fields)
    fake.policies.append(policy)
    return policy


async def _forbid(fake: FakeClients, ctx: Context, request: DeleteExchangePolicy) -> Done:
    fake.write(ctx, request)
    fake.policies = [policy for policy in fake.policies if policy.id != request.policy_id]
    return Done()


async def _idps(
    fake: FakeClients, ctx: Context, request: ListIdentityProviders
) -> IdentityProviders:
    ctx.allow(request.needs)
    return IdentityProviders(idps=fake.providers)


def fake_clients(people: Developers) -> FakeClients:
    """Registers the fake service for the pages of clients."""
    fake = FakeClients(people)
    people.world.bus.serve(
        fake,
        {
            ListClients: _list,
            GetClient: _get,
            CreateClient: _create,
            UpdateClient: _update,
            DeleteClient: _delete,
            ListClientSecrets: _secrets,
            RotateClientSecret: _rotate,
            DeleteClientSecret: _revoke,
            ListClientGrants: _grants,
            RevokeClientGrants: _take_back,
            CheckAuthorizationUrl: _check,
            ListExchangePolicies: _policies,
            CreateExchangePolicy: _allow,
            DeleteExchangePolicy: _forbid,
            ListIdentityProviders: _idps,
        },
    )
    return fake
