"""Clients register themselves (RFC 7591) and manage their registration (RFC 7592).

A client that registers itself comes from a stranger. Nobody of the application has checked anything that they say, so its users
are always asked, pages show their host in place of their name, and their scopes have a ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from common import audit
from common.attempt_limits import AttemptLimit, Limits
from common.context import Context
from common.contracts.client_registration import (
    ClientInformation,
    InvalidClientMetadata,
    RegisterClient,
    RegistrationClosed,
    RegistrationMode,
)
from common.contracts.clients import ClientAuthMethod, ClientFields
from common.crypto import token
from common.db import Db
from common.events.clients import ClientRegistered
from common.field_errors import field_error
from common.ids import new_id
from common.ip_addresses import client_network
from common.problems import RateLimited
from oidc import (
    client_rules,
    initial_access_tokens,
    new_client_secret,
    redirect_uris,
    registration_metadata,
    registration_response,
    scope_ceiling,
    sector_identifiers,
)
from oidc.clients import ensure_keys
from oidc.deps import Deps
from oidc.new_client_secret import GeneratedSecret
from oidc.queries import registrations
from oidc.registration_metadata import ClientMetadata

PURPOSE: Final = "registration"
BY_IP: Final = AttemptLimit("client_registration_ip", 10, 3600)
"""Registrations without a token."""
MOST_PENDING: Final = 1000
"""Clients of an application that registered themselves without a token and were never used."""
PENDING_WAIT: Final = 3600
"""Seconds until a client may try again if there are too many."""


@dataclass(frozen=True, slots=True)
class NewRegistration:
    """A client that is about to be stored. `token_hashes` are those of its initial access token."""

    id: str
    client_id: str
    fields: ClientFields
    metadata: ClientMetadata
    access_token: str
    secret: GeneratedSecret | None
    token_hashes: list[str] | None


async def register(deps: Deps, ctx: Context, request: RegisterClient) -> ClientInformation:
    """Registers a client. Raises RegistrationClosed, InvalidToken, InvalidRedirectUri, InvalidClientMetadata, InvalidScope
    if none of the requested scopes can be granted, and RateLimited."""
    mode = await mode_of(deps, ctx)
    if mode == "off":
        raise RegistrationClosed
    hashes = None
    if mode == "token" or request.token is not None:
        hashes = await initial_access_tokens.check(deps, ctx, request.token)
    metadata = registration_metadata.read(request.metadata, is_open=hashes is None)
    if hashes is None:
        await Limits(deps.db, deps.keys).count(ctx, (BY_IP, client_network(ctx.ip)))
    method = _method(metadata, is_open=hashes is None)
    type = registration_metadata.type_of(metadata)
    fields = await checked_fields(deps, ctx, metadata, method=method, type=type)
    secret = None
    if method in new_client_secret.METHODS:
        secret = await new_client_secret.generate(deps, ctx)
    await ensure_keys(deps, ctx, fields)
    new = NewRegistration(
        new_id(), token("client_", 18), fields, metadata, token("reg_"), secret, hashes
    )
    async with deps.db.transaction(ctx) as tx:
        created_at = await _store(deps, tx, ctx, new)
    await deps.invalidate(ctx, "client", new.client_id)
    return registration_response.of_new(
        ctx,
        new.client_id,
        fields,
        registration_metadata.kept(metadata),
        access_token=new.access_token,
        secret=secret.text if secret else None,
        issued_at=created_at,
    )


async def mode_of(deps: Deps, ctx: Context) -> RegistrationMode:
    """Returns who can register clients at the application."""
    return (await deps.tenants.get(ctx)).settings.client_registration


def _method(metadata: ClientMetadata, *, is_open: bool) -> ClientAuthMethod:
    """Returns how the client will authenticate. A stranger's client is public: a secret that anybody can have proves
    nothing, so the answer says `none` in its place (RFC 7591 section 2). Keys would be worth something, and a client
    that has some would send assertions: it is refused rather than misled."""
    wanted = metadata.token_endpoint_auth_method
    if not is_open:
        return wanted or "client_secret_basic"
    if wanted == "private_key_jwt" or metadata.jwks or metadata.jwks_uri:
        raise InvalidClientMetadata(
            "token_endpoint_auth_method: without an initial access token, only none is offered"
        )
    return "none"


async def checked_fields(
    deps: Deps,
    ctx: Context,
    metadata: ClientMetadata,
    *,
    method: ClientAuthMethod,
    type: Literal["web", "native"],
) -> ClientFields:
    """Returns the client that the metadata describe, after all rules for clients. Nothing is excused because it was
    registered before (CVE-2026-15572). Raises InvalidRedirectUri, InvalidClientMetadata or InvalidScope."""
    ceiling = await scope_ceiling.get(deps, ctx)
    requested = registration_metadata.scopes_in(metadata)
    scopes = scope_ceiling.within(ceiling, requested) if requested else ceiling
    environment = await client_rules.environment(deps, ctx)
    sector = metadata.sector_identifier_uri and redirect_uris.host(metadata.sector_identifier_uri)
    fields = registration_metadata.fields_of(
        metadata, scopes=scopes, method=method, type=type, sector=sector
    )
    mistakes = [*client_rules.mistakes(fields, environment)]
    if fields.logo_uri and redirect_uris.call_mistake(fields.logo_uri, environment.egress):
        mistakes.append(field_error("logo_uri", "uri_not_callable"))
    if mistakes:
        raise registration_metadata.refused(mistakes)
    await sector_identifiers.verify(deps, metadata)
    return fields


async def _store(deps: Deps, tx: Db, ctx: Context, new: NewRegistration) -> datetime:
    """Stores a client in the transaction that uses its token up, and returns its creation time. Raises InvalidToken if the
    token was used up meanwhile, and RateLimited if too many clients wait for their first use."""
    used = None
    if new.token_hashes is not None:
        used = await initial_access_tokens.use(tx, ctx, new.token_hashes)
    elif (
        await registrations.count_pending(tx, app_id=ctx.app_id, most=MOST_PENDING) >= MOST_PENDING
    ):
        raise RateLimited("too many clients wait for their first use", retry_after=PENDING_WAIT)
    created_at = await registrations.insert(
        tx,
        app_id=ctx.app_id,
        id=new.id,
        client_id=new.client_id,
        fields=new.fields.model_dump(mode="json"),
        token_hash=deps.keys.hash(PURPOSE, new.access_token),
        metadata=registration_metadata.kept(new.metadata),
    )
    if new.secret is not None:
        method = new.fields.token_endpoint_auth_method
        await new_client_secret.insert(
            deps, tx, ctx, new.secret, client_id=new.client_id, auth_method=method
        )
    event = ClientRegistered(
        client_id=new.client_id, name=new.fields.name, initial_access_token=used
    )
    await audit.record(tx, ctx, event)
    return created_at
