"""Scopes: the standard ones, the application's own, and those that are permissions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import InvalidScope, InvalidTarget
from common.contracts.resources import Resource
from common.contracts.rights import GetRights, Rights
from oidc.deps import Deps
from oidc.queries import scopes
from oidc.queries.clients import Registered
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
"""OpenID Connect Core sections 5.4 and 11; `account` is ours: a token with it may do over the API
what its user may do to his own account."""
SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""RFC 6749 section 3.3."""
NEEDS_USER: Final = frozenset(CLAIMS)
"""Standard scopes speak of a user; a client acting for itself has none."""


def claim(names: Iterable[str]) -> dict[str, str]:
    """`scope` of a token and its response; nothing without scopes, since the grammar has no empty
    value (RFC 6749 appendix A.4)."""
    return {"scope": found} if (found := " ".join(names)) else {}


@dataclass(frozen=True)
class Catalogue:
    """What the application added: scopes by name, APIs by identifier."""

    scopes: dict[str, ScopeRow]
    resources: dict[str, Resource]
    permissions: dict[str, frozenset[str]]
    """Of scopes by name; several APIs may each have a scope of one name."""


async def catalogue(deps: Deps, ctx: Context) -> Catalogue:
    async def load() -> Catalogue:
        async with deps.db.reading(ctx) as db:
            rows = await scopes.catalogue(db, app_id=ctx.app_id)
            apis = await scopes.resources(db, app_id=ctx.app_id)
        return Catalogue(
            {row.name: row for row in rows},
            {api.identifier: api for api in apis},
            {
                name: frozenset(
                    row.permission_id for row in rows if row.name == name and row.permission_id
                )
                for name in {row.name for row in rows}
            },
        )

    found: Catalogue = await deps.known.scopes.fetch(
        (ctx.app_id, "scopes"), load, tags=lambda _: [("scope", "all"), ("application", ctx.app_id)]
    )
    return found


def parsed(text: str | None) -> list[str]:
    """RFC 6749 section 3.3: separated by spaces, each counted once, the order meaning nothing."""
    return list(dict.fromkeys((text or "").split(" "))) if text else []


async def allowed(deps: Deps, ctx: Context, client: Registered, request: list[str]) -> list[str]:
    """Returns the known ones of the requested scopes; what is no scope of the application is
    ignored (OpenID Connect Core section 3.1.2.1). Raises InvalidScope for a known one that the
    client is not registered for, and if nothing remains."""
    if not all(SCOPE_TOKEN.fullmatch(name) for name in request if name):
        raise InvalidScope("a scope has a character that no scope may have")
    known = (await catalogue(deps, ctx)).scopes
    wanted: list[str] = []
    for name in request:
        if name in client.scopes:
            wanted.append(name)
        elif name in CLAIMS or name in known or (":" in name and "/" not in name):
            # Without a slash it is named like a permission.
            raise InvalidScope(f"the scope {name} is not allowed for this client")
    if not wanted and any(request):
        raise InvalidScope(f"the scope {request[0][:200]} is unknown")
    return wanted


async def permission_scopes(
    deps: Deps, ctx: Context, names: Iterable[str], within: Catalogue | None = None
) -> dict[str, str]:
    """Permission to scope, of those scopes that stand for one: bound to it in the catalogue, or
    named like it (`users:read`)."""
    bound: dict[str, str] = {}
    custom = [name for name in names if name not in CLAIMS]
    if not custom:
        return bound
    known = within or await catalogue(deps, ctx)
    for name in custom:
        if name in known.scopes:
            bound |= dict.fromkeys(known.permissions[name], name)
        elif ":" in name:
            bound[name] = name
    return bound


async def rights(deps: Deps, ctx: Context, user_id: str, org_id: str | None) -> Rights:
    """What the user holds now, remembered for seconds."""
    return await deps.known.rights.fetch(
        (ctx.app_id, "rights", user_id, org_id or ""),
        lambda: deps.bus.call(ctx.as_system(), GetRights(user_id=user_id, org_id=org_id)),
        tags=lambda _: [("rights", user_id), ("user", user_id)],
    )


async def held(
    deps: Deps, ctx: Context, names: list[str], user_id: str, org_id: str | None
) -> list[str]:
    """The scopes without those that stand for a permission which the user does not hold."""
    bound = await permission_scopes(deps, ctx, names)
    if not bound:
        return names
    having = (await rights(deps, ctx, user_id, org_id)).permissions
    missing = {
        scope
        for permission, scope in bound.items()
        if permission not in having and "*" not in having
    }
    return [name for name in names if name not in missing]


async def claim_givers(
    deps: Deps, ctx: Context, client: Registered, granted: list[str]
) -> dict[str, tuple[str, ...]]:
    """Returns the client's scopes with the standard claims that each gives access to.

    A scope that stands for a permission counts only where it was granted.
    """
    known = await catalogue(deps, ctx)
    names = list(
        dict.fromkeys([*(name for name in granted if name in client.scopes), *client.scopes])
    )
    bound = set((await permission_scopes(deps, ctx, names, known)).values()) - set(granted)
    return {
        name: CLAIMS.get(name) or tuple(known.scopes[name].claims if name in known.scopes else ())
        for name in names
        if name not in bound
    }


async def check_resources(deps: Deps, ctx: Context, request: list[str]) -> list[str]:
    """RFC 8707 section 2. Our own API goes by the issuer, as its metadata says (RFC 9728).
    Raises InvalidTarget."""
    if not request:
        return []
    known = (await catalogue(deps, ctx)).resources
    for identifier in request:
        if identifier not in known and identifier != ctx.origin:
            raise InvalidTarget(f"the resource {identifier[:200]} is unknown")
    return list(dict.fromkeys(request))
