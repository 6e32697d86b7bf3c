"""The scopes that a client can get at most if nobody of the application has registered it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from common.context import Context
from common.contracts.oauth_errors import InvalidScope
from oidc import scope_catalogue
from oidc.deps import Deps

NEVER: Final = frozenset({"account"})
"""A token with this scope may do over the API whatever its user may do with their account."""


async def get(deps: Deps, ctx: Context) -> list[str]:
    """Returns the ceiling: the standard scopes and the application's own ones, without `account` and those that stand
    for a permission. The setting `agent_scopes` can only lower it."""
    catalogue = await scope_catalogue.get_catalogue(deps, ctx)
    names = [name for name in (*scope_catalogue.CLAIMS, *catalogue.scopes) if not is_right(name)]
    scope_of = await scope_catalogue.permission_scopes(deps, ctx, names, catalogue)
    rights = set(scope_of.values())
    wanted = (await deps.tenants.get(ctx)).settings.agent_scopes
    return [name for name in names if name not in rights and (not wanted or name in wanted)]


def is_right(name: str) -> bool:
    """Returns whether a scope of this name can never be in the ceiling. A name with a colon and without a slash is
    that of a permission, which may be created at any time."""
    return name in NEVER or (":" in name and "/" not in name)


def within(ceiling: Iterable[str], names: list[str]) -> list[str]:
    """Returns the names that are in the ceiling. Raises InvalidScope if there are some, and none is left."""
    allowed = set(ceiling)
    left = [name for name in names if name in allowed]
    if any(names) and not left:
        raise InvalidScope("none of the scopes can be granted to a client that nobody has verified")
    return left
