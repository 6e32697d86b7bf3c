"""Exchange policies: what administrators let clients exchange (docs/adr/0042)."""

from __future__ import annotations

from typing import Final

import asyncpg

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.clients import Client, ClientNotFound
from common.contracts.exchange_policies import (
    CreateExchangePolicy,
    DeleteExchangePolicy,
    ExchangePolicies,
    ExchangePolicy,
    ExchangePolicyExists,
    ExchangePolicyFields,
    ExchangePolicyNotFound,
    ListExchangePolicies,
    TooManyExchangePolicies,
)
from common.contracts.identity_providers import GetIdentityProvider, ProviderNotFound
from common.db import Db
from common.db_errors import violated_constraint
from common.events.clients import ExchangePolicyCreated, ExchangePolicyDeleted
from common.field_errors import FieldError, field_error
from common.ids import DASHBOARD, new_id
from common.problems import Forbidden, Invalid
from oidc import redirect_uris, scope_catalogue
from oidc.client_rights import check_rights
from oidc.clients import find, find_locked
from oidc.deps import Deps
from oidc.queries import exchange_policies

MOST: Final = 100
"""Policies of a client."""


async def list_(deps: Deps, ctx: Context, request: ListExchangePolicies) -> ExchangePolicies:
    """Lists the client's policies, the oldest first."""
    client = await find(deps, ctx, request.client)
    async with deps.db.reader(ctx) as db:
        policies = await exchange_policies.list_(db, app_id=ctx.app_id, client_id=client.client_id)
    return ExchangePolicies(policies=policies)


async def create(deps: Deps, ctx: Context, request: CreateExchangePolicy) -> ExchangePolicy:
    """Creates a policy. The caller must hold what the client and the new tokens may do."""
    if ctx.app_id == DASHBOARD:
        raise Forbidden("tokens of the Dashboard are never exchanged")
    client = await find(deps, ctx, request.client)
    subject_client = None
    if request.subject_client is not None:
        subject_client = await find(deps, ctx, request.subject_client)
    provider_id = await _provider_id(deps, ctx, request)
    await _check(deps, ctx, client, request)
    await _check_rights(deps, ctx, client, request)
    async with deps.db.transaction(ctx) as tx:
        await find_locked(tx, ctx, client.client_id)
        present = await exchange_policies.list_(tx, app_id=ctx.app_id, client_id=client.client_id)
        if len(present) >= MOST:
            raise TooManyExchangePolicies
        policy = await _insert(
            tx, ctx, client, request, subject_client=subject_client, provider_id=provider_id
        )
        event = ExchangePolicyCreated(
            client_id=client.client_id,
            policy_id=policy.id,
            subject_client_id=policy.subject_client,
            provider_id=policy.provider,
            audience=policy.audience,
            resources=policy.resources,
            scopes=policy.scopes,
        )
        await audit.record(tx, ctx, event)
    return policy


async def delete(deps: Deps, ctx: Context, request: DeleteExchangePolicy) -> Done:
    """Deletes a policy. Raises ExchangePolicyNotFound."""
    client = await find(deps, ctx, request.client)
    async with deps.db.transaction(ctx) as tx:
        if not await exchange_policies.delete(
            tx, app_id=ctx.app_id, client_id=client.client_id, id=request.policy_id
        ):
            raise ExchangePolicyNotFound
        event = ExchangePolicyDeleted(client_id=client.client_id, policy_id=request.policy_id)
        await audit.record(tx, ctx, event)
    return Done()


async def _provider_id(deps: Deps, ctx: Context, policy: ExchangePolicyFields) -> str | None:
    """Returns the id of the provider in the request. The caller must be allowed to see it."""
    if policy.provider is None:
        return None
    found = await deps.bus.call(ctx, GetIdentityProvider(provider=policy.provider))
    return found.id


async def _check(deps: Deps, ctx: Context, client: Client, policy: ExchangePolicyFields) -> None:
    """Raises Invalid for a policy that could never be used, or that would widen what is exchanged."""
    mistakes: list[FieldError] = []
    if (policy.subject_client is None) == (policy.provider is None):
        mistakes.append(field_error("subject_client", "exchange_source_unclear"))
    if client.token_endpoint_auth_method == "none":
        mistakes.append(field_error("client", "public_client_has_no_credentials"))
    if policy.audience is None:
        mistakes += await _target_mistakes(deps, ctx, policy)
    else:
        mistakes += _audience_mistakes(ctx, policy)
    if mistakes:
        raise Invalid(errors=mistakes)


async def _target_mistakes(
    deps: Deps, ctx: Context, policy: ExchangePolicyFields
) -> list[FieldError]:
    """Returns what is wrong with the APIs and scopes of access tokens."""
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    mistakes: list[FieldError] = []
    if not policy.resources:
        mistakes.append(field_error("resources", "required"))
    for index, identifier in enumerate(policy.resources):
        if identifier not in catalogue.resources:
            mistakes.append(field_error(f"resources.{index}", "resource_unknown"))
    for index, name in enumerate(policy.scopes):
        if name in scope_catalogue.NEEDS_USER:
            mistakes.append(field_error(f"scopes.{index}", "exchange_scope_refused"))
    if policy.audience_client_id is not None:
        mistakes.append(field_error("audience_client_id", "exchange_audience_required"))
    return mistakes


def _audience_mistakes(ctx: Context, policy: ExchangePolicyFields) -> list[FieldError]:
    """Returns what is wrong with another authorization server. Only tokens of our own users are turned
    into assertions for it: a provider's users are its own to assert."""
    audience = policy.audience or ""
    mistake = redirect_uris.identifier_mistake("audience", audience)
    if mistake is not None:
        return [mistake]
    if redirect_uris.same_identifier(audience) == redirect_uris.same_identifier(ctx.origin):
        return [field_error("audience", "resource_is_issuer")]
    if policy.provider is not None:
        return [field_error("provider", "exchange_audience_of_provider")]
    return []


async def _check_rights(
    deps: Deps, ctx: Context, client: Client, policy: ExchangePolicyFields
) -> None:
    """Raises Forbidden unless the caller holds what the client may do, and what the scopes stand for."""
    await check_rights(deps, ctx, client)
    if policy.audience is not None or ctx.caller.kind == "system":
        return
    for permission in await scope_catalogue.permission_scopes(deps, ctx, policy.scopes):
        if not ctx.caller.may(permission):
            raise Forbidden(f"you do not hold {permission} yourself", needs=permission)


async def _insert(
    tx: Db,
    ctx: Context,
    client: Client,
    policy: ExchangePolicyFields,
    *,
    subject_client: Client | None,
    provider_id: str | None,
) -> ExchangePolicy:
    """Stores a policy. Raises ExchangePolicyExists, and NotFound if its source was deleted meanwhile."""
    try:
        return await exchange_policies.insert(
            tx,
            app_id=ctx.app_id,
            id=new_id(),
            client_id=client.client_id,
            subject_client_id=subject_client.client_id if subject_client else None,
            provider_id=provider_id,
            audience=policy.audience,
            audience_client_id=policy.audience_client_id,
            resources=list(dict.fromkeys(policy.resources)),
            scopes=list(dict.fromkeys(policy.scopes)),
        )
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != "token_exchange_policies_source_key":
            raise
        raise ExchangePolicyExists from None
    except asyncpg.ForeignKeyViolationError:
        raise (ProviderNotFound if provider_id else ClientNotFound) from None
