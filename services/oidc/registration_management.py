"""Clients that registered themselves read, replace and delete their registration (RFC 7592)."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Final, Literal

from pydantic import JsonValue

from common import audit
from common.attempt_limits import AttemptLimit, Limits
from common.context import Context
from common.contracts.base import Done
from common.contracts.client_registration import (
    ClientInformation,
    DeleteRegistration,
    InvalidClientMetadata,
    ReadRegistration,
    RegistrationClosed,
    ReplaceRegistration,
)
from common.contracts.clients import Client, ClientFields
from common.contracts.oauth_errors import InsufficientScope, InvalidToken
from common.events.clients import ClientDeleted, ClientUpdated
from oidc import registration, registration_metadata, registration_response
from oidc.clients import ensure_keys, find_locked
from oidc.deps import Deps
from oidc.queries import clients, registrations
from oidc.registration_metadata import ClientMetadata

UNKNOWN: Final = "the registration access token is not valid for this client"
NO_PERMISSION: Final = "this client may not manage its registration"
"""403 (RFC 7592 section 2)."""
FIXED: Final = frozenset(
    {
        *("type", "first_party", "profile", "security_profile", "source", "enabled", "epoch"),
        *("include_rights", "claims_mapping", "access_token_format", "default_resources"),
    }
)
"""Members that only people of the application decide. At a registration they are unknown members, and ignored."""
CHANGES: Final = AttemptLimit("client_registration_change", 60, 3600)
"""Replacements of one client: each may call its sector_identifier_uri."""


async def read(deps: Deps, ctx: Context, request: ReadRegistration) -> ClientInformation:
    """Returns all registered metadata. Raises InvalidToken, also for an unknown client, and InsufficientScope."""
    client, kept = await _find(deps, ctx, request.client_id, request.token)
    return registration_response.of_registered(ctx, client, kept, request.token)


async def _find(
    deps: Deps, ctx: Context, client_id: str, token: str
) -> tuple[Client, Mapping[str, JsonValue]]:
    """Returns a client and what it registered beside its fields, if the token is its own."""
    async with deps.db.reader(ctx) as db:
        row = await registrations.find(db, app_id=ctx.app_id, client_id=client_id)
        client = await registrations.find_client(db, app_id=ctx.app_id, client_id=client_id)
    hashes = deps.keys.hashes(registration.PURPOSE, token)
    if row is None or client is None or row.token_hash is None:
        raise InvalidToken(UNKNOWN)
    if not any(compare_digest(row.token_hash, each) for each in hashes):
        raise InvalidToken(UNKNOWN)
    if not client.enabled:
        raise InsufficientScope(NO_PERMISSION)
    return client, row.metadata or {}


async def replace(deps: Deps, ctx: Context, request: ReplaceRegistration) -> ClientInformation:
    """Replaces all metadata: what is left out gets its default (RFC 7592 section 2.2). Its type, its method of
    authentication and its trust stay. Raises as `read` and as a registration does."""
    client, _ = await _find(deps, ctx, request.client_id, request.token)
    if await registration.mode_of(deps, ctx) == "off":
        raise RegistrationClosed
    await Limits(deps.db, deps.keys).count(ctx, (CHANGES, client.client_id))
    metadata = _read(request.metadata, client)
    kind: Literal["web", "native"] = "native" if client.type == "native" else "web"
    method = client.token_endpoint_auth_method or "client_secret_basic"
    fields = await registration.checked_fields(deps, ctx, metadata, method=method, type=kind)
    kept = registration_metadata.kept(metadata)
    after = await _store(deps, ctx, client, fields=fields, kept=kept)
    await ensure_keys(deps, ctx, after)
    await deps.invalidate(ctx, "client", client.client_id)
    return registration_response.of_registered(ctx, after, kept, request.token)


def _read(sent: Mapping[str, JsonValue], client: Client) -> ClientMetadata:
    """Reads what a client sent in place of its metadata. Raises InvalidClientMetadata if it would change what it must not
    change, and an error for each mistake in the rest."""
    if sent.get("client_id") != client.client_id:
        raise InvalidClientMetadata("client_id: the client's own one is required")
    for name in sorted(FIXED & sent.keys()):
        raise InvalidClientMetadata(f"{name}: a client cannot change it")
    metadata = registration_metadata.read(sent, is_open=client.token_endpoint_auth_method == "none")
    registered = "native" if client.type == "native" else "web"
    if metadata.application_type not in (None, registered):
        raise InvalidClientMetadata("application_type: a client cannot change it")
    if metadata.token_endpoint_auth_method not in (None, client.token_endpoint_auth_method):
        raise InvalidClientMetadata("token_endpoint_auth_method: a client cannot change it")
    return metadata


async def _store(
    deps: Deps, ctx: Context, client: Client, *, fields: ClientFields, kept: dict[str, JsonValue]
) -> Client:
    """Stores the new metadata. The settings of people of the application stay. Raises InvalidToken if the
    client was deleted, and InsufficientScope if it was disabled."""
    async with deps.db.transaction(ctx) as tx:
        before = await find_locked(tx, ctx, client.client_id)
        if not before.enabled:
            raise InsufficientScope(NO_PERMISSION)
        wanted = fields.model_dump(mode="json", include=OWN)
        others = before.model_dump(mode="json", include={*ClientFields.model_fields} - OWN)
        after = await clients.update(
            tx, app_id=ctx.app_id, client_id=client.client_id, fields=others | wanted
        )
        if after is None:
            raise InvalidToken(UNKNOWN)
        await registrations.replace_metadata(
            tx, app_id=ctx.app_id, client_id=client.client_id, metadata=kept
        )
        event = ClientUpdated(client_id=client.client_id, fields=sorted(OWN))
        await audit.record(tx, ctx, event)
    return after


OWN: Final = {*registration_metadata.SAME, "scopes", "grant_types", "sector_identifier"} - {
    "token_endpoint_auth_method"
}
"""Fields of a client that its own metadata decide."""


async def delete(deps: Deps, ctx: Context, request: DeleteRegistration) -> Done:
    """Deletes the client with its grants and tokens. Raises InvalidToken, also for an unknown client, and InsufficientScope."""
    client, _ = await _find(deps, ctx, request.client_id, request.token)
    async with deps.db.transaction(ctx) as tx:
        if not await clients.delete(tx, app_id=ctx.app_id, client_id=client.client_id):
            raise InvalidToken(UNKNOWN)
        await audit.record(tx, ctx, ClientDeleted(client_id=client.client_id))
    await deps.invalidate(ctx, "client", client.client_id)
    return Done()
