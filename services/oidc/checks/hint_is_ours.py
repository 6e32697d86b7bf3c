"""OpenID Connect Core section 3.1.2.1: `id_token_hint`. That it has expired does not matter."""

from __future__ import annotations

from common.context import Context
from common.contracts.oidc import OAuthError
from oidc import jose, keys, tokens
from oidc.deps import Deps
from oidc.request import Asked


async def hint_is_ours(deps: Deps, ctx: Context, asked: Asked) -> None:
    hint = asked.given.get("id_token_hint")
    if hint is None:
        return
    found = await keys.key_set(deps, ctx)
    try:
        claims = jose.verify(hint, found.verifying.get, types=frozenset({tokens.ID}))
    except jose.BadToken:
        raise OAuthError("id_token_hint is not an ID token of ours") from None
    if claims.get("token_use", "id") != "id" or claims.get("aud") != asked.client.client_id:
        raise OAuthError("id_token_hint was not issued to this client")
    asked.hinted_sub = str(claims.get("sub"))
