"""Exchange policies: which tokens of clients, and assertions of identity providers, a client may exchange."""

from __future__ import annotations

from common.contracts.base import Done, Id
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ExchangePolicies,
    ExchangePolicy,
    ExchangePolicyFields,
    ListExchangePolicies,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/clients", tags=["clients"])


@router.get("/{id}/exchange-policies", summary="List exchange policies of a client")
async def exchange_policies(id: str, ctx: Acting, bus: TheBus) -> ExchangePolicies:
    """Lists the tokens that the client may exchange (RFC 8693, RFC 7523), and for what. Needs
    `clients:read`."""
    return await bus.call(ctx, ListExchangePolicies(client=id))


@router.post(
    "/{id}/exchange-policies", status_code=201, summary="Create an exchange policy of a client"
)
async def create_exchange_policy(
    id: str, policy: ExchangePolicyFields, ctx: Acting, bus: TheBus
) -> ExchangePolicy:
    """Lets the client exchange tokens of a client, or assertions of an identity provider. You must hold
    every right that the new tokens can have. The client also needs the grant type, and the application
    the setting `token_exchange` or `jwt_bearer`. Needs `clients:write`, and `idps:read` for a provider."""
    fields = {name: getattr(policy, name) for name in ExchangePolicyFields.model_fields}
    return await bus.call(ctx, CreateExchangePolicy(client=id, **fields))


@router.delete(
    "/{id}/exchange-policies/{policy_id}", summary="Delete an exchange policy of a client"
)
async def delete_exchange_policy(id: str, policy_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the policy. The client gets no more tokens by it. Tokens that it has live on until they
    expire, a few minutes. Needs `clients:write`."""
    return await bus.call(ctx, DeleteExchangePolicy(client=id, policy_id=policy_id))


routes = RouteSet(router=router, in_applications=True)
