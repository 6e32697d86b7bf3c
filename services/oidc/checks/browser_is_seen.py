"""A browser that was sent here by another site's form keeps its cookies to itself (SameSite=Lax); it
brings them along when it comes back by itself. Until then nobody is taken to be signed out."""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from oidc import prompts
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def browser_is_seen(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    return await prompts.come_back(deps, ctx, request) if request.unseen else None
