"""Client secrets: what administrators do with them."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_secrets import (
    ClientSecret,
    ClientSecretExists,
    ClientSecrets,
    DeleteClientSecret,
    ListClientSecrets,
    NewSecret,
    RotateClientSecret,
)
from common.contracts.clients import ClientNotFound
from common.events.clients import ClientSecretCreated, ClientSecretDeleted
from common.problems import Conflict
from oidc import new_client_secret
from oidc.client_rights import check_rights
from oidc.clients import find, find_locked
from oidc.deps import Deps
from oidc.queries import client_secrets
from oidc.queries.client_secrets import SecretRow


async def list_(deps: Deps, ctx: Context, request: ListClientSecrets) -> ClientSecrets:
    """Lists a client's secrets by their last four characters, the newest first."""
    client = await find(deps, ctx, request.client)
    async with deps.db.reader(ctx) as db:
        rows = await client_secrets.list_(db, app_id=ctx.app_id, client_id=client.client_id)
    return ClientSecrets(secrets=[_client_secret(row) for row in rows])


async def rotate(deps: Deps, ctx: Context, request: RotateClientSecret) -> NewSecret:
    """Creates a secret. The client's other secrets expire after the overlap.

    Raises Conflict if another secret was created at the same time: each would let the other expire.
    Raises ClientSecretExists if the client has a secret with the requested id.
    """
    client = await find(deps, ctx, request.client)
    await check_rights(deps, ctx, client)
    method = client.token_endpoint_auth_method
    if method not in new_client_secret.METHODS:
        raise Conflict("this client authenticates without a secret")
    of_client = {"app_id": ctx.app_id, "client_id": client.client_id}
    async with deps.db.reader(ctx) as db:
        previous = await client_secrets.list_(db, **of_client)
    if request.id in {row.id for row in previous}:
        raise ClientSecretExists
    secret = await new_client_secret.generate(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        await find_locked(tx, ctx, client.client_id)
        present = await client_secrets.list_(tx, **of_client)
        if {row.id for row in present} - {row.id for row in previous}:
            raise Conflict("another secret was created at the same time")
        row = await new_client_secret.insert(
            deps, tx, ctx, secret, id=request.id, client_id=client.client_id, auth_method=method
        )
        await client_secrets.expire_others(tx, **of_client, kept_id=row.id, overlap=request.overlap)
        event = ClientSecretCreated(client_id=client.client_id, secret_id=row.id)
        await audit.record(tx, ctx, event)
    await deps.invalidate(ctx, "client", client.client_id)
    fields = _client_secret(row).model_dump()
    return NewSecret(**fields, client_id=client.client_id, client_secret=secret.text)


async def delete(deps: Deps, ctx: Context, request: DeleteClientSecret) -> Done:
    """Deletes a secret. Raises Conflict if it is the client's only one."""
    client = await find(deps, ctx, request.client)
    await check_rights(deps, ctx, client)
    async with deps.db.transaction(ctx) as tx:
        rows = await client_secrets.list_(tx, app_id=ctx.app_id, client_id=client.client_id)
        if [row.id for row in rows] == [request.secret_id]:
            raise Conflict("a client needs at least one secret: create another one first")
        if not await client_secrets.delete(
            tx, app_id=ctx.app_id, client_id=client.client_id, id=request.secret_id
        ):
            raise ClientNotFound("the client has no such secret")
        event = ClientSecretDeleted(client_id=client.client_id, secret_id=request.secret_id)
        await audit.record(tx, ctx, event)
    await deps.invalidate(ctx, "client", client.client_id)
    return Done()


def _client_secret(row: SecretRow) -> ClientSecret:
    return ClientSecret(
        id=row.id, hint=row.hint, expires_at=row.expires_at, created_at=row.created_at
    )
