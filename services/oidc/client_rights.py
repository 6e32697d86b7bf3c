"""A client is managed only by callers who have all the rights that the client has."""

from __future__ import annotations

from common.context import Context
from common.contracts.clients import ClientFields
from common.problems import Forbidden
from oidc.deps import Deps
from oidc.scope_catalogue import permission_scopes


async def check_rights(deps: Deps, ctx: Context, *clients: ClientFields) -> None:
    """Raises Forbidden unless the caller has every right that these clients have.

    A client's redirect URIs, keys and secrets decide who receives its tokens. A caller who changes
    any of them can act with the client's rights. So every change needs those rights.

    A first-party client with the scope `account` acts as each of its users without consent, so it
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
