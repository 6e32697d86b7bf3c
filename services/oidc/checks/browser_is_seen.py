"""Redirects a browser that may have withheld its cookies.

A browser that another site's form sent here does not send cookies (SameSite=Lax). It sends them
after a redirect to ourselves. Until then it is not known whether a user is signed in.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from oidc import prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def browser_is_seen(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Returns a redirect if the browser may have withheld its cookies."""
    return await prompts.come_back(deps, ctx, request) if request.unseen else None
