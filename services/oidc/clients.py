"""Clients: what administrators do with them. Their secrets are in `client_secrets`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
from pydantic import ValidationError

from common import audit, conditions
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_origins import ListOrigins, Origins
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
from common.crypto import token
from common.db import Db
from common.db_errors import violated_constraint
from common.events.clients import (
    ClientCreated,
    ClientDeleted,
    ClientDisabled,
    ClientEnabled,
    ClientSecretDeleted,
    ClientUpdated,
)
from common.field_errors import field_error, field_errors
from common.ids import new_id
from common.problems import Invalid
from common.same_json import same_json
from oidc import client_defaults, client_rules, keys, new_client_secret
from oidc.client_rights import check_rights
from oidc.deps import Deps
from oidc.queries import client_secrets, clients
from oidc.timestamps import from_text


async def create(deps: Deps, ctx: Context, request: CreateClient) -> NewClient:
    """Creates a client, and its first secret if it authenticates with one. Raises ClientExists."""
    request = client_defaults.with_defaults(request)
    client_rules.check(request, await client_rules.environment(deps, ctx))
    await check_rights(deps, ctx, request)
    await ensure_keys(deps, ctx, request)
    id, client_id = request.id or new_id(), token("client_", 18)
    fields = {name: getattr(request, name) for name in ClientFields.model_fields}
    method = request.token_endpoint_auth_method
    secret = None
    if method in new_client_secret.METHODS:
        secret = await new_client_secret.generate(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        created_at = await _insert(tx, ctx, id, client_id, fields=fields)
        if secret is not None:
            await new_client_secret.insert(
                deps, tx, ctx, secret, client_id=client_id, auth_method=method
            )
        await audit.record(tx, ctx, ClientCreated(client_id=client_id, name=request.name))
    await _publish_change(deps, ctx, client_id, request.allowed_origins)
    return NewClient(
        **fields,
        id=id,
        client_id=client_id,
        created_at=created_at,
        updated_at=created_at,
        client_secret=secret.text if secret else None,
    )


async def _insert(
    tx: Db, ctx: Context, id: str, client_id: str, *, fields: dict[str, Any]
) -> datetime:
    """Stores a client. Raises ClientExists if the application has one with this id."""
    try:
        return await clients.insert(
            tx, app_id=ctx.app_id, id=id, client_id=client_id, fields=fields
        )
    except asyncpg.UniqueViolationError as error:
        if violated_constraint(error) != "oauth_clients_pkey":
            raise
        raise ClientExists from None


async def get(deps: Deps, ctx: Context, request: GetClient) -> Client:
    """Returns a client by its id or client_id."""
    return await find(deps, ctx, request.client)


async def find(deps: Deps, ctx: Context, client: str) -> Client:
    """Returns a client by its id or client_id. Raises ClientNotFound."""
    async with deps.db.reader(ctx) as db:
        row = await clients.find(db, app_id=ctx.app_id, client=client)
    if row is None:
        raise ClientNotFound
    return row


async def list_(deps: Deps, ctx: Context, request: ListClients) -> Clients:
    """Lists the application's clients by creation time."""
    of = f"clients:{request.source}" if request.source else "clients"
    after, after_id = deps.cursors.read(ctx.app_id, of, request.cursor, 2)
    async with deps.db.reader(ctx) as db:
        rows = await clients.page(
            db,
            app_id=ctx.app_id,
            after=from_text(after),
            after_id=after_id,
            limit=request.limit + 1,
            source=request.source,
        )
    page, next_cursor = deps.cursors.page(
        ctx.app_id,
        of,
        rows,
        request.limit,
        key=lambda client: (client.created_at, client.id),
    )
    return Clients(clients=page, next=next_cursor)


async def update(deps: Deps, ctx: Context, request: UpdateClient) -> Client:
    """Changes the fields in the request.

    The transaction locks the client. Of two changes at once, the second is checked against the
    result of the first, and neither undoes the other.
    """
    client_id = (await find(deps, ctx, request.client)).client_id
    unknown = request.changes.keys() - ClientFields.model_fields.keys()
    if unknown:
        errors = [field_error(name[:60], "not_changeable") for name in sorted(unknown)]
        raise Invalid(errors=errors)
    environment = await client_rules.environment(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        before = await find_locked(tx, ctx, client_id)
        conditions.check(before)
        changed = _changed_fields(before, request.changes)
        if before.source != "developer" and changed.first_party:
            raise Invalid(errors=[field_error("first_party", "client_not_verified")])
        client_rules.check(changed, environment, before)
        await check_rights(deps, ctx, before, changed)
        names = set(ClientFields.model_fields)
        fields = changed.model_dump(mode="json", include=names)
        if same_json(fields, before.model_dump(mode="json", include=names)):
            return before
        after = await clients.update(tx, app_id=ctx.app_id, client_id=client_id, fields=fields)
        if after is None:
            raise ClientNotFound
        event = ClientUpdated(client_id=client_id, fields=sorted(request.changes))
        await audit.record(tx, ctx, event)
        if after.security_profile is not None and before.security_profile is None:
            await _delete_secrets(tx, ctx, client_id)
        if before.enabled != after.enabled:
            switch = ClientEnabled if after.enabled else ClientDisabled
            await audit.record(tx, ctx, switch(client_id=client_id))
    await ensure_keys(deps, ctx, after)
    await _publish_change(deps, ctx, client_id, before.allowed_origins + after.allowed_origins)
    return after


async def _delete_secrets(tx: Db, ctx: Context, client_id: str) -> None:
    """Deletes the secrets of a client that authenticates by its key from now on."""
    for id in await client_secrets.delete_all(tx, app_id=ctx.app_id, client_id=client_id):
        await audit.record(tx, ctx, ClientSecretDeleted(client_id=client_id, secret_id=id))


async def find_locked(tx: Db, ctx: Context, client_id: str) -> Client:
    """Locks a client until the transaction ends and returns it. Raises ClientNotFound."""
    if not await clients.lock(tx, app_id=ctx.app_id, client_id=client_id):
        raise ClientNotFound
    # A new statement, so that it sees what another request has committed meanwhile.
    client = await clients.find(tx, app_id=ctx.app_id, client=client_id)
    if client is None:
        raise ClientNotFound
    return client


def _changed_fields(before: Client, changes: dict[str, Any]) -> ClientFields:
    try:
        return ClientFields.model_validate(before.model_dump() | changes)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise Invalid(errors=field_errors(errors)) from None


async def delete(deps: Deps, ctx: Context, request: DeleteClient) -> Done:
    """Deletes a client with its secrets, consents and tokens. This cannot be undone."""
    client = await find(deps, ctx, request.client)
    await check_rights(deps, ctx, client)
    async with deps.db.transaction(ctx) as tx:
        if conditions.is_conditional():
            conditions.check(await find_locked(tx, ctx, client.client_id))
        if not await clients.delete(tx, app_id=ctx.app_id, client_id=client.client_id):
            raise ClientNotFound
        await audit.record(tx, ctx, ClientDeleted(client_id=client.client_id))
    await _publish_change(deps, ctx, client.client_id, client.allowed_origins)
    return Done()


async def list_origins(deps: Deps, ctx: Context, _: ListOrigins) -> Origins:
    """Lists the browser origins that the application's enabled clients run on."""
    async with deps.db.reader(ctx) as db:
        return Origins(origins=await clients.list_origins(db, app_id=ctx.app_id))


async def _publish_change(deps: Deps, ctx: Context, client_id: str, origins: list[str]) -> None:
    """Makes caches forget the client, and its origins if it has any."""
    await deps.invalidate(ctx, "client", client_id)
    if origins:
        await deps.invalidation.publish(ctx, "origin")


async def ensure_keys(deps: Deps, ctx: Context, client: ClientFields) -> None:
    """Makes sure that the application has a signing key for each algorithm of the client."""
    algs = {client.id_token_alg, client.access_token_alg, client.userinfo_alg}
    algs.add(client.authorization_signed_response_alg)
    for alg in sorted(alg for alg in algs if alg):
        await keys.signing_key(deps, ctx, alg)
