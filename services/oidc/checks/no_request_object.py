"""OpenID Connect Core section 3.1.2.6: we take no request objects, and say so."""

from __future__ import annotations

from common.context import Context
from common.contracts.oidc import RequestNotSupported, RequestUriNotSupported
from oidc.deps import Deps
from oidc.request import Asked


async def no_request_object(_: Deps, ctx: Context, asked: Asked) -> None:
    if "request" in asked.given:
        raise RequestNotSupported
    if "request_uri" in asked.given:
        raise RequestUriNotSupported
