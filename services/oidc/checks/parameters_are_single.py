"""RFC 6749 section 3.1: no parameter more than once."""

from __future__ import annotations

from common.context import Context
from oidc.deps import Deps
from oidc.params import single
from oidc.request import AuthorizationRequest


async def parameters_are_single(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    single(request.params)
