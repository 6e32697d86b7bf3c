"""The administration of an application's clients and their secrets."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic import ValidationError

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_secrets import (
    ClientSecret,
    ClientSecrets,
    DeleteClientSecret,
    ListClientSecrets,
    NewSecret,
    RotateClientSecret,
)
from common.contracts.clients import (
    Client,
    ClientFields,
    ClientNotFound,
    Clients,
    CreateClient,
    DeleteClient,
    GetClient,
    ListClients,
    ListOrigins,
    NewClient,
    Origins,
    UpdateClient,
)
from common.crypto import token
from common.db import Db
from common.events.clients import (
    ClientCreated,
    ClientDeleted,
    ClientDisabled,
    ClientEnabled,
    ClientSecretCreated,
    ClientSecretDeleted,
    ClientUpdated,
)
from common.field_errors import field_errors
from common.ids import new_id
from common.problems import Conflict, Forbidden, Invalid
from common.same_json import same_json
from oidc import client_rules, client_secrets, keys
from oidc.deps import Deps
from oidc.queries import clients
from oidc.queries.clients import SecretRow
from oidc.scopes import permission_scopes
from oidc.timestamps import moment

WITH_SECRET = (None, "client_secret_basic", "client_secret_post", "client_secret_jwt")


async def create(deps: Deps, ctx: Context, new: CreateClient) -> NewClient:
    new = client_rules.with_defaults(new)
    client_rules.check(new, await client_rules.around(deps, ctx))
    await _within_reach(deps, ctx, new)
    await _keys_for(deps, ctx, new)
    id, client_id = new_id(), token("client_", 18)
    fields = {name: getattr(new, name) for name in ClientFields.model_fields}
    secret = token("cs_") if new.token_endpoint_auth_method in WITH_SECRET else None
    hash = await _hashed(deps, ctx, secret)
    async with deps.db.transaction(ctx) as tx:
        made = await clients.insert(
            tx, app_id=ctx.app_id, id=id, client_id=client_id, fields=fields
        )
        if secret is not None:
            method = new.token_endpoint_auth_method
            await _insert_secret(deps, tx, ctx, client_id, secret, hash, method)
        await audit.record(tx, ctx, ClientCreated(client_id=client_id, name=new.name))
    await _changed(deps, ctx, client_id, new.allowed_origins)
    return NewClient(
        **fields, id=id, client_id=client_id, created_at=made, updated_at=made, client_secret=secret
    )


async def get(deps: Deps, ctx: Context, request: GetClient) -> Client:
    return await find(deps, ctx, request.client)


async def find(deps: Deps, ctx: Context, client: str) -> Client:
    """By id or client_id. Raises ClientNotFound."""
    async with deps.db.reading(ctx) as db:
        found = await clients.find(db, app_id=ctx.app_id, client=client)
    if found is None:
        raise ClientNotFound
    return found


async def list_(deps: Deps, ctx: Context, page: ListClients) -> Clients:
    after, after_id = deps.cursors.read(ctx.app_id, "clients", page.cursor, 2)
    async with deps.db.reading(ctx) as db:
        found = await clients.page(
            db,
            app_id=ctx.app_id,
            after=moment(after),
            after_id=after_id,
            limit=page.limit + 1,
        )
    shown, following = deps.cursors.page(
        ctx.app_id, "clients", found, page.limit, key=lambda client: (client.created_at, client.id)
    )
    return Clients(clients=shown, next=following)


async def update(deps: Deps, ctx: Context, request: UpdateClient) -> Client:
    """Changes the sent fields of the client as it is in this transaction: of two changes at once,
    neither undoes the other, and each is judged with the result of the one before."""
    client_id = (await find(deps, ctx, request.client)).client_id
    unknown = request.changes.keys() - ClientFields.model_fields.keys()
    if unknown:
        errors = [{"field": name[:60], "message": "cannot be changed"} for name in sorted(unknown)]
        raise Invalid(errors=errors)
    place = await client_rules.around(deps, ctx)
    async with deps.db.transaction(ctx) as tx:
        before = await _locked(tx, ctx, client_id)
        wanted = _changed_fields(before, request.changes)
        client_rules.check(wanted, place, before)
        await _within_reach(deps, ctx, before, wanted)
        names = set(ClientFields.model_fields)
        fields = wanted.model_dump(mode="json", include=names)
        if same_json(fields, before.model_dump(mode="json", include=names)):
            return before
        after = await clients.update(tx, app_id=ctx.app_id, client_id=client_id, fields=fields)
        if after is None:
            raise ClientNotFound
        event = ClientUpdated(client_id=client_id, fields=sorted(request.changes))
        await audit.record(tx, ctx, event)
        if before.enabled != after.enabled:
            switched = ClientEnabled if after.enabled else ClientDisabled
            await audit.record(tx, ctx, switched(client_id=client_id))
    await _keys_for(deps, ctx, after)
    await _changed(deps, ctx, client_id, before.allowed_origins + after.allowed_origins)
    return after


async def _locked(tx: Db, ctx: Context, client_id: str) -> Client:
    """The client, unchanged by others until the transaction ends. Raises ClientNotFound."""
    if not await clients.lock(tx, app_id=ctx.app_id, client_id=client_id):
        raise ClientNotFound
    # A new statement, so it sees what whoever was faster has committed.
    client = await clients.find(tx, app_id=ctx.app_id, client=client_id)
    if client is None:
        raise ClientNotFound
    return client


def _changed_fields(before: Client, changes: dict[str, Any]) -> ClientFields:
    try:
        return ClientFields.model_validate(before.model_dump() | changes)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        raise Invalid(errors=field_errors(listed)) from None


async def delete(deps: Deps, ctx: Context, request: DeleteClient) -> Done:
    client = await find(deps, ctx, request.client)
    await _within_reach(deps, ctx, client)
    async with deps.db.transaction(ctx) as tx:
        if not await clients.delete(tx, app_id=ctx.app_id, client_id=client.client_id):
            raise ClientNotFound
        await audit.record(tx, ctx, ClientDeleted(client_id=client.client_id))
    await _changed(deps, ctx, client.client_id, client.allowed_origins)
    return Done()


async def origins(deps: Deps, ctx: Context, _: ListOrigins) -> Origins:
    async with deps.db.reading(ctx) as db:
        return Origins(origins=await clients.origins(db, app_id=ctx.app_id))


async def _changed(deps: Deps, ctx: Context, client_id: str, origins: list[str]) -> None:
    await deps.changed(ctx, "client", client_id)
    if origins:
        await deps.invalidation.publish(ctx, "origin")


async def list_secrets(deps: Deps, ctx: Context, request: ListClientSecrets) -> ClientSecrets:
    client = await find(deps, ctx, request.client)
    async with deps.db.reading(ctx) as db:
        rows = await clients.secrets(db, app_id=ctx.app_id, client_id=client.client_id)
    return ClientSecrets(secrets=[_shown(row) for row in rows])


async def rotate_secret(deps: Deps, ctx: Context, request: RotateClientSecret) -> NewSecret:
    client = await find(deps, ctx, request.client)
    await _within_reach(deps, ctx, client)
    method = client.token_endpoint_auth_method
    if method not in WITH_SECRET:
        raise Conflict("this client authenticates without a secret")
    async with deps.db.reading(ctx) as db:
        known = await clients.secrets(db, app_id=ctx.app_id, client_id=client.client_id)
    secret = token("cs_")
    hash = await _hashed(deps, ctx, secret)
    async with deps.db.transaction(ctx) as tx:
        await _locked(tx, ctx, client.client_id)
        held = await clients.secrets(tx, app_id=ctx.app_id, client_id=client.client_id)
        if {row.id for row in held} - {row.id for row in known}:
            raise Conflict("another secret was created at the same time")
        row = await _insert_secret(deps, tx, ctx, client.client_id, secret, hash, method)
        await clients.end_other_secrets(
            tx, app_id=ctx.app_id, client_id=client.client_id, keep=row.id, overlap=request.overlap
        )
        event = ClientSecretCreated(client_id=client.client_id, secret_id=row.id)
        await audit.record(tx, ctx, event)
    await deps.changed(ctx, "client", client.client_id)
    shown = _shown(row).model_dump()
    return NewSecret(**shown, client_id=client.client_id, client_secret=secret)


async def delete_secret(deps: Deps, ctx: Context, request: DeleteClientSecret) -> Done:
    client = await find(deps, ctx, request.client)
    await _within_reach(deps, ctx, client)
    async with deps.db.transaction(ctx) as tx:
        held = await clients.secrets(tx, app_id=ctx.app_id, client_id=client.client_id)
        if [row.id for row in held] == [request.secret_id]:
            raise Conflict("a client keeps at least one secret: make another one first")
        if not await clients.delete_secret(
            tx, app_id=ctx.app_id, client_id=client.client_id, id=request.secret_id
        ):
            raise ClientNotFound("the client has no such secret")
        event = ClientSecretDeleted(client_id=client.client_id, secret_id=request.secret_id)
        await audit.record(tx, ctx, event)
    await deps.changed(ctx, "client", client.client_id)
    return Done()


async def _within_reach(deps: Deps, ctx: Context, *clients: ClientFields) -> None:
    """Raises Forbidden unless the caller holds every right that these clients hold.

    A client's redirect URIs, keys and secrets decide who receives its tokens. Whoever changes them
    can act with the client's rights, so each change needs those rights, whatever it changes.
    A first-party client with the scope `account` acts as each of its users without consent, and so
    needs every permission.
    """
    if ctx.caller.kind == "system":
        return
    for client in clients:
        if client.first_party and "account" in client.scopes and not ctx.caller.may("*"):
            message = "a first-party client with the scope account may act as any user"
            hint = "that needs every permission, unless first_party is false"
            raise Forbidden(f"{message}: {hint}", needs="*")
        for permission in await permission_scopes(deps, ctx, client.scopes):
            if not ctx.caller.may(permission):
                raise Forbidden(f"you do not hold {permission} yourself", needs=permission)


async def _keys_for(deps: Deps, ctx: Context, client: ClientFields) -> None:
    """The application gets a key for every algorithm that one of its clients uses."""
    wanted = {client.id_token_alg, client.access_token_alg, client.userinfo_alg}
    for alg in sorted(alg for alg in wanted if alg):
        await keys.signing(deps, ctx, alg)


async def _hashed(deps: Deps, ctx: Context, secret: str | None) -> str:
    if secret is None:
        return ""
    return await deps.pool.run(ctx.app_id, partial(client_secrets.hashed, secret))


async def _insert_secret(
    deps: Deps, tx: Db, ctx: Context, client_id: str, secret: str, hash: str, method: str | None
) -> SecretRow:
    """Sealed besides only where an HMAC assertion is checked with the secret itself."""
    id, sealed = new_id(), None
    if method == "client_secret_jwt":
        place = ("oauth_client_secrets", "secret_sealed", id)
        sealed = await deps.sealer.seal(tx, ctx.app_id, place, secret.encode())
    return await clients.insert_secret(
        tx,
        app_id=ctx.app_id,
        id=id,
        client_id=client_id,
        hash=hash,
        hint=secret[-4:],
        sealed=sealed,
    )


def _shown(row: SecretRow) -> ClientSecret:
    return ClientSecret(
        id=row.id, hint=row.hint, expires_at=row.expires_at, created_at=row.created_at
    )
