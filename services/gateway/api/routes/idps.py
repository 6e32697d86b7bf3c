"""Identity providers: what users sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from common.contracts.base import Contract, Done
from common.contracts.identity_providers import (
    CheckIdentityProvider,
    CreateIdentityProvider,
    DeleteIdentityProvider,
    GetIdentityProvider,
    IdentityProvider,
    IdentityProviders,
    ListIdentityProviders,
    ListPublicProviders,
    PresetName,
    ProviderFields,
    ProviderName,
    ProviderReport,
    PublicProviders,
    UpdateIdentityProvider,
)
from gateway.api.deps import Acting, ActingOrAnonymous, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/idps", tags=["idps"])

if TYPE_CHECKING:
    ProviderChanges = Contract
    NewProvider = Contract
else:
    ProviderChanges = create_model(
        "ProviderChanges",
        __base__=Contract,
        __doc__="Fields of an identity provider to change. Fields that you leave out stay as they are.",
        client_secret=(
            str | None,
            Field(None, max_length=5000, repr=False, description="`********` keeps the secret."),
        ),
        **{
            name: (
                Annotated[(field.annotation, *field.metadata, Field())] | None,
                Field(None, description=field.description),
            )
            for name, field in ProviderFields.model_fields.items()
        },
    )
    NewProvider = create_model(
        "NewProvider",
        __base__=ProviderChanges,
        __doc__="A new identity provider. A `preset` fills in the fields that you leave out.",
        name=(ProviderName | None, Field(None, description="Default: the name of the preset.")),
        preset=(PresetName | None, None),
    )


def _sent(fields: ProviderChanges, *but: str) -> dict[str, Any]:
    return fields.model_dump(mode="json", exclude_unset=True, exclude={"client_secret", *but})


def _secret(fields: ProviderChanges) -> str | None:
    secret: str | None = getattr(fields, "client_secret", None)
    return secret


@router.get("", summary="List identity providers")
async def list_(ctx: ActingOrAnonymous, bus: TheBus) -> IdentityProviders | PublicProviders:
    """Lists the enabled providers that belong to no organization, as `id`, `name`, `type` and
    `display_name`. With `idps:read`, lists all providers with everything but their secrets."""
    if ctx.caller.may("idps:read"):
        return await bus.call(ctx, ListIdentityProviders())
    return await bus.call(ctx, ListPublicProviders())


@router.post("", status_code=201, summary="Create an identity provider")
async def create(new: NewProvider, ctx: Acting, bus: TheBus) -> IdentityProvider:
    """Creates an identity provider. For a preset, `preset`, `client_id` and `client_secret` are
    enough; for any other OpenID provider, also `name`, `display_name` and `issuer`. Needs
    `idps:write`, and every permission that any user can hold."""
    request = CreateIdentityProvider(
        name=getattr(new, "name", None),
        preset=getattr(new, "preset", None),
        client_secret=_secret(new),
        settings=_sent(new, "name", "preset"),
    )
    return await bus.call(ctx, request)


@router.get("/{id}", summary="Get an identity provider")
async def get(id: str, ctx: Acting, bus: TheBus) -> IdentityProvider:
    """Returns a provider by its `id` or `name`. Needs `idps:read`."""
    return await bus.call(ctx, GetIdentityProvider(provider=id))


@router.put("/{id}", summary="Update an identity provider (same as PATCH)")
async def put(id: str, changes: ProviderChanges, ctx: Acting, bus: TheBus) -> IdentityProvider:
    """Changes the fields that you send. The others stay as they are, also inside `options`. Needs
    `idps:write`."""
    return await _update(id, changes, ctx, bus)


@router.patch("/{id}", summary="Update an identity provider")
async def patch(id: str, changes: ProviderChanges, ctx: Acting, bus: TheBus) -> IdentityProvider:
    """Changes the fields that you send. The others stay as they are, also inside `options`. Once users
    have linked accounts, `issuer`, `type` and the mapping of `subject` are fixed. Needs
    `idps:write`."""
    return await _update(id, changes, ctx, bus)


async def _update(id: str, changes: ProviderChanges, ctx: Acting, bus: TheBus) -> IdentityProvider:
    request = UpdateIdentityProvider(
        provider=id, client_secret=_secret(changes), changes=_sent(changes)
    )
    return await bus.call(ctx, request)


@router.delete("/{id}", summary="Delete an identity provider")
async def delete(id: str, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the provider and the links of its users. This cannot be undone. Needs `idps:delete`."""
    return await bus.call(ctx, DeleteIdentityProvider(provider=id))


@router.post("/{id}/test", summary="Test an identity provider")
async def test(id: str, ctx: Acting, bus: TheBus) -> ProviderReport:
    """Calls the provider and reports each step: its discovery document, its keys, and its token
    endpoint with a wrong code. Nobody is signed in. Needs `idps:write`."""
    return await bus.call(ctx, CheckIdentityProvider(provider=id))


routes = RouteSet(router=router, in_applications=True)
