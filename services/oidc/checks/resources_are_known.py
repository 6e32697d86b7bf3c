"""The parameter `resource` (RFC 8707 section 2)."""

from __future__ import annotations

from common.context import Context
from oidc import grant_policy
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def resources_are_known(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `resource`. Raises InvalidTarget for an unknown one.

    The consent page for a client that nobody registered names its default resources, too.
    """
    requested = request.parameters.values_of("resource")
    if not requested and request.client.source != "developer":
        requested = request.client.default_resources
    request.resource = await grant_policy.select_resources(deps, ctx, requested)
