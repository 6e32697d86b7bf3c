"""RFC 8707 section 2."""

from __future__ import annotations

from common.context import Context
from oidc import scopes
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def resources_are_known(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    request.resource = await scopes.check_resources(deps, ctx, request.given.listed("resource"))
