"""OAuth 2.0 Multiple Response Types section 2.1, OAuth 2.0 Form Post Response Mode."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oidc import OAuthError
from oidc.deps import Deps
from oidc.request import Asked

MODES: Final = ("query", "fragment", "form_post")


async def response_mode_is_known(_: Deps, ctx: Context, asked: Asked) -> None:
    mode = asked.given.get("response_mode", "query")
    if mode not in MODES:
        raise OAuthError("response_mode is not supported")
    asked.response_mode = mode
