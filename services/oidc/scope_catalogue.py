"""Which scopes there are, what they stand for, and which of them a client or user may have.

There are three kinds: standard scopes, the application's own scopes, and names of permissions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import InvalidScope, InvalidTarget
from common.contracts.resources import Resource
from common.contracts.rights import GetRights, Rights
from oidc import redirect_uris
from oidc.deps import Deps
from oidc.queries import resources, scopes
from oidc.queries.clients import RegisteredClient
from oidc.queries.scopes import ScopeRow

CLAIMS: Final[dict[str, tuple[str, ...]]] = {
    "openid": ("sub",),
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "offline_access": (),
    "account": (),
}
"""The standard scopes and the claims that each gives (OpenID Connect Core sections 5.4 and 11).

`account` is Aero2's own: over the API, its token may do what its user may do with their account.
"""
SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""RFC 6749 section 3.3."""
NEEDS_USER: Final = frozenset(CLAIMS)
"""Scopes that make sense only with a user."""


def scope_claim(names: Iterable[str]) -> dict[str, str]:
    """Returns the claim `scope`, or nothing without scopes: it may not be empty (RFC 6749 A.4)."""
    return {"scope": text} if (text := " ".join(names)) else {}


def parse(text: str | None) -> list[str]:
    """Returns the names in a `scope` parameter, each once (RFC 6749 section 3.3)."""
    return list(dict.fromkeys((text or "").split(" "))) if text else []


@dataclass(frozen=True)
class ScopeCatalogue:
    """The application's own scopes by name, and its resources by identifier."""

    scopes: dict[str, ScopeRow]
    resources: dict[str, Resource]
    permissions: dict[str, frozenset[str]]
    """By scope. Scopes of the same name in several APIs may be bound to several permissions."""

    def find_resource(self, identifier: str) -> Resource | None:
        """Returns the resource with this identifier. An empty path equals `/`."""
        return self.resources.get(identifier) or self.resources.get(
            redirect_uris.other_spelling(identifier)
        )


async def get_catalogue(deps: Deps, ctx: Context) -> ScopeCatalogue:
    """Returns the application's scopes and resources, cached for a minute."""

    async def load() -> ScopeCatalogue:
        async with deps.db.reader(ctx) as db:
            rows = await scopes.list_with_resources(db, app_id=ctx.app_id)
            apis = await resources.list_(db, app_id=ctx.app_id)
        return ScopeCatalogue(
            {row.name: row for row in rows},
            {api.identifier: api for api in apis},
            {
                name: frozenset(
                    row.permission_id for row in rows if row.name == name and row.permission_id
                )
                for name in {row.name for row in rows}
            },
        )

    catalogue: ScopeCatalogue = await deps.caches.scopes.fetch(
        (ctx.app_id, "scopes"), load, tags=lambda _: [("scope", "all"), ("application", ctx.app_id)]
    )
    return catalogue


async def publish_change(deps: Deps, ctx: Context, client_ids: Iterable[str] = ()) -> None:
    """Makes caches forget the scopes and these clients.

    Gateways cache the discovery document, which lists the scopes, under the noun `resource`.
    """
    for client_id in client_ids:
        await deps.invalidate(ctx, "client", client_id)
    await deps.invalidate(ctx, "scope")
    await deps.invalidation.publish(ctx, "resource")


async def select_allowed(
    deps: Deps, ctx: Context, client: RegisteredClient, names: list[str]
) -> list[str]:
    """Returns the requested scopes that exist (OpenID Connect Core section 3.1.2.1).

    Raises InvalidScope for one that exists and that the client is not registered for, and if no
    scope is left. Clients that nobody registered request all that they find: what they cannot have
    is left out.
    """
    if not all(SCOPE_TOKEN.fullmatch(name) for name in names if name):
        raise InvalidScope("a scope contains a character that is not allowed")
    own_scopes = (await get_catalogue(deps, ctx)).scopes
    allowed: list[str] = []
    for name in names:
        if name in client.scopes:
            allowed.append(name)
        elif client.source != "developer":
            continue  # the answer tells which scopes were granted (RFC 6749 section 3.3)
        elif name in CLAIMS or name in own_scopes or (":" in name and "/" not in name):
            # A name with a colon and without a slash is that of a permission.
            raise InvalidScope(f"the scope {name} is not allowed for this client")
    if not allowed and any(names):
        raise InvalidScope(f"the scope {names[0][:200]} is unknown")
    return allowed


async def permission_scopes(
    deps: Deps, ctx: Context, names: Iterable[str], catalogue: ScopeCatalogue | None = None
) -> dict[str, str]:
    """Returns the permissions that these scopes stand for, each with its scope.

    A scope stands for the permission that it is bound to, or for that of the same name.
    """
    scope_of: dict[str, str] = {}
    own_names = [name for name in names if name not in CLAIMS]
    if not own_names:
        return scope_of
    catalogue = catalogue or await get_catalogue(deps, ctx)
    for name in own_names:
        if name in catalogue.scopes:
            scope_of |= dict.fromkeys(catalogue.permissions[name], name)
        elif ":" in name:
            scope_of[name] = name
    return scope_of


async def get_rights(deps: Deps, ctx: Context, user_id: str, org_id: str | None) -> Rights:
    """Returns the user's present rights, cached for ten seconds."""
    return await deps.caches.rights.fetch(
        (ctx.app_id, "rights", user_id, org_id or ""),
        lambda: deps.bus.call(ctx.as_system(), GetRights(user_id=user_id, org_id=org_id)),
        tags=lambda _: [("rights", user_id), ("user", user_id)],
    )


async def select_permitted(
    deps: Deps, ctx: Context, names: list[str], *, user_id: str, org_id: str | None
) -> list[str]:
    """Returns the scopes without those for whose permission the user has no right."""
    scope_of = await permission_scopes(deps, ctx, names)
    if not scope_of:
        return names
    permissions = (await get_rights(deps, ctx, user_id, org_id)).permissions
    missing = {
        scope
        for permission, scope in scope_of.items()
        if permission not in permissions and "*" not in permissions
    }
    return [name for name in names if name not in missing]


async def claims_by_scope(
    deps: Deps, ctx: Context, client: RegisteredClient, granted: list[str]
) -> dict[str, tuple[str, ...]]:
    """Returns the client's scopes with the standard claims that each gives.

    A scope that stands for a permission is left out unless it is among the granted ones.
    """
    catalogue = await get_catalogue(deps, ctx)
    names = list(
        dict.fromkeys([*(name for name in granted if name in client.scopes), *client.scopes])
    )
    scope_of = await permission_scopes(deps, ctx, names, catalogue)
    ungranted = set(scope_of.values()) - set(granted)
    own_scopes = catalogue.scopes
    return {
        name: CLAIMS.get(name) or tuple(own_scopes[name].claims if name in own_scopes else ())
        for name in names
        if name not in ungranted
    }


async def check_resources(deps: Deps, ctx: Context, identifiers: list[str]) -> list[str]:
    """Returns the requested resources, each once and as it is registered (RFC 8707 section 2).

    Clients add a slash to an identifier that is a host only, or leave it out. The issuer is the
    identifier of Aero2's own API (RFC 9728). Raises InvalidTarget for an unknown resource.
    """
    if not identifiers:
        return []
    catalogue = await get_catalogue(deps, ctx)
    registered: dict[str, None] = {}
    for identifier in identifiers:
        resource = catalogue.find_resource(identifier)
        if resource is not None:
            registered[resource.identifier] = None
        elif ctx.origin in (identifier, redirect_uris.other_spelling(identifier)):
            registered[ctx.origin] = None
        else:
            raise InvalidTarget(f"the resource {identifier[:200]} is unknown")
    return list(registered)
