"""Identity providers: what administrators do with them."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
from pydantic import ValidationError

from common import audit, conditions
from common.captcha_secret import HIDDEN
from common.context import Context
from common.contracts.base import Done
from common.contracts.identity_providers import (
    CreateIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
    ListPublicProviders,
    ProviderFields,
    ProviderInUse,
    ProviderNameTaken,
    ProviderNotFound,
    PublicProvider,
    PublicProviders,
    TooManyProviders,
    UpdateIdentityProvider,
)
from common.db import Db
from common.events.identity_providers import ProviderCreated, ProviderDeleted, ProviderUpdated
from common.field_errors import field_error, field_errors
from common.ids import new_id
from common.problems import Invalid
from common.same_json import same_json
from identity import delegation_checks, provider_rules
from identity.deps import Deps
from identity.providers.client_secret import secret_place
from identity.queries import identity_providers, provider_documents
from identity.queries.identity_providers import Provider
from identity.role_rules import check_roles

MAX_PROVIDERS: Final = 200
"""Of an application and its organizations."""
OTHER_CLIENT: Final = (
    "Users have linked accounts. Some providers give each client other user ids: then nobody is"
    " recognized under the new client_id."
)


async def list_public(deps: Deps, ctx: Context, _: ListPublicProviders) -> PublicProviders:
    """Lists what a sign-in page shows."""
    async with deps.db.reader(ctx) as db:
        rows = await identity_providers.list_public(db, app_id=ctx.app_id)
        by_address = await identity_providers.has_of_organizations(db, app_id=ctx.app_id)
    public = [PublicProvider.model_validate(_public(row)) for row in rows]
    return PublicProviders(idps=public, by_address=by_address)


def _public(row: Provider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PublicProvider.model_fields}


async def list_(deps: Deps, ctx: Context, _: ListIdentityProviders) -> IdentityProviders:
    """Lists all providers, in the order of their buttons."""
    async with deps.db.reader(ctx) as db:
        rows = await identity_providers.list_(db, app_id=ctx.app_id)
    return IdentityProviders(idps=[_reply(row) for row in rows])


async def get(deps: Deps, ctx: Context, request: GetIdentityProvider) -> IdentityProvider:
    """Returns a provider by its id or name."""
    return _reply(await find(deps, ctx, request.provider))


async def find(deps: Deps, ctx: Context, provider: str) -> Provider:
    """Returns the row of a provider by its id or name. Raises ProviderNotFound."""
    async with deps.db.reader(ctx) as db:
        row = await identity_providers.find(db, app_id=ctx.app_id, provider=provider)
    if row is None:
        raise ProviderNotFound
    return row


async def create(deps: Deps, ctx: Context, request: CreateIdentityProvider) -> IdentityProvider:
    """Creates a provider. Its secret is sealed."""
    await delegation_checks.over_everybody(deps, ctx)
    name, secret = request.name or request.preset, request.client_secret
    fields = _fields(provider_rules.with_preset(request.preset, request.settings))
    if name is None:
        raise Invalid(errors=[field_error("name", "required")])
    if fields.auth_method != "none" and secret in (None, "", HIDDEN):
        raise Invalid(errors=[field_error("client_secret", "required")])
    provider_rules.check_organizations(ctx, fields.org_id)
    provider_rules.check(fields, secret=secret, egress=deps.http.egress)
    await check_roles(deps, ctx, fields)
    idp_id = new_id()
    try:
        async with deps.db.transaction(ctx) as tx:
            if await identity_providers.count(tx, app_id=ctx.app_id) >= MAX_PROVIDERS:
                raise TooManyProviders
            row = await identity_providers.insert(
                tx,
                app_id=ctx.app_id,
                id=idp_id,
                name=name,
                preset=request.preset,
                client_secret_sealed=await _sealed(deps, tx, ctx, idp_id, secret=secret),
                fields=fields.model_dump(mode="json"),
            )
            event = ProviderCreated(
                idp_id=idp_id, name=name, preset=request.preset, org_id=fields.org_id
            )
            await audit.record(tx, ctx, event)
    except asyncpg.UniqueViolationError:
        raise ProviderNameTaken from None
    except asyncpg.ForeignKeyViolationError:
        raise Invalid(errors=[field_error("org_id", "organization_unknown")]) from None
    return _reply(row)


async def update(deps: Deps, ctx: Context, request: UpdateIdentityProvider) -> IdentityProvider:
    """Changes a provider. Two changes at once are made one after the other."""
    unknown = request.changes.keys() - ProviderFields.model_fields.keys()
    if unknown:
        errors = [field_error(name[:60], "not_changeable") for name in sorted(unknown)]
        raise Invalid(errors=errors)
    secret = None if request.client_secret in (None, "", HIDDEN) else request.client_secret
    if secret is not None or request.changes.keys() - provider_rules.HARMLESS:
        await delegation_checks.over_everybody(deps, ctx)
    if request.changes.keys() & {"role_mapping", "org_id"}:
        row = await find(deps, ctx, request.provider)
        fields = _changed(row, request)
        before = (row.org_id, row.role_mapping)
        if before != (fields.org_id, fields.model_dump(mode="json")["role_mapping"]):
            await check_roles(deps, ctx, fields)
    try:
        async with deps.db.transaction(ctx) as tx:
            return await _update(deps, tx, ctx, request, secret=secret)
    except asyncpg.ForeignKeyViolationError:
        raise Invalid(errors=[field_error("org_id", "organization_unknown")]) from None


async def _update(
    deps: Deps, tx: Db, ctx: Context, request: UpdateIdentityProvider, *, secret: str | None
) -> IdentityProvider:
    before = await identity_providers.lock(tx, app_id=ctx.app_id, provider=request.provider)
    if before is None:
        raise ProviderNotFound
    conditions.check(_reply(before))
    earlier, fields = _fields(_settings(before)), _changed(before, request)
    provider_rules.check_organizations(ctx, before.org_id, fields.org_id)
    provider_rules.check(fields, secret=secret, egress=deps.http.egress)
    dumped = fields.model_dump(mode="json")
    if secret is None and same_json(dumped, earlier.model_dump(mode="json")):
        return _reply(before)
    if secret is None and before.client_secret_sealed and fields.auth_method != "none":
        if provider_rules.needs_secret_again(before, fields):
            raise Invalid(errors=[field_error("client_secret", "secret_required_again")])
    elif secret is None and fields.auth_method != "none":
        raise Invalid(errors=[field_error("client_secret", "required")])
    links = await identity_providers.count_links(tx, app_id=ctx.app_id, idp_id=before.id)
    if links and provider_rules.is_fixed_changed(before, fields):
        raise ProviderInUse
    sealed = await _sealed(deps, tx, ctx, before.id, secret=secret) or before.client_secret_sealed
    row = await identity_providers.update(
        tx, app_id=ctx.app_id, id=before.id, client_secret_sealed=sealed, fields=dumped
    )
    if request.changes.keys() - provider_rules.HARMLESS:
        await provider_documents.delete(tx, app_id=ctx.app_id, idp_id=before.id)
    names = sorted({*request.changes, *(["client_secret"] if secret else [])})
    event = ProviderUpdated(idp_id=before.id, name=before.name, fields=names)
    await audit.record(tx, ctx, event)
    warned = links and row.client_id != before.client_id
    return _reply(row, [OTHER_CLIENT] if warned else [])


async def delete(deps: Deps, ctx: Context, request: DeleteIdentityProvider) -> Done:
    """Deletes a provider with its links. This cannot be undone."""
    async with deps.db.transaction(ctx) as tx:
        row = await identity_providers.lock(tx, app_id=ctx.app_id, provider=request.provider)
        if row is None:
            raise ProviderNotFound
        conditions.check(_reply(row))
        provider_rules.check_organizations(ctx, row.org_id)
        links = await identity_providers.count_links(tx, app_id=ctx.app_id, idp_id=row.id)
        await identity_providers.delete(tx, app_id=ctx.app_id, id=row.id)
        await audit.record(tx, ctx, ProviderDeleted(idp_id=row.id, name=row.name, links=links))
    return Done()


def _settings(row: Provider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ProviderFields.model_fields}


def _changed(before: Provider, request: UpdateIdentityProvider) -> ProviderFields:
    """Returns the fields after the change. Raises Invalid."""
    own = request.changes.get("options")
    options = {"options": before.options | own} if isinstance(own, dict) else {}
    return _fields(_settings(before) | request.changes | options)


def _fields(settings: dict[str, Any]) -> ProviderFields:
    """Returns the settings as fields. Raises Invalid, which names each mistake."""
    try:
        return ProviderFields.model_validate(settings)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise Invalid(errors=field_errors(errors)) from None


async def _sealed(
    deps: Deps, tx: Db, ctx: Context, idp_id: str, *, secret: str | None
) -> str | None:
    if not secret:
        return None
    return await deps.sealer.seal(tx, ctx.app_id, secret_place(idp_id), secret.encode())


def _reply(row: Provider, warnings: list[str] | None = None) -> IdentityProvider:
    """Returns the provider as the API shows it."""
    names = IdentityProvider.model_fields.keys() - {"client_secret", "warnings"}
    fields = {name: getattr(row, name) for name in names}
    hidden = HIDDEN if row.client_secret_sealed else None
    return IdentityProvider(**fields, client_secret=hidden, warnings=warnings or [])
