"""OpenID Connect Core section 3.1.2.1: `id_token_hint`. That it has expired does not matter.

A hint that we cannot verify, such as one whose key has been retired, names nobody. Then the user
chooses the account, and prompt=none fails.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import LoginRequired
from oidc import jose, keys, tokens
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def hint_is_ours(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    hint = request.given.get("id_token_hint")
    if hint is None:
        return None
    found = await keys.key_set(deps, ctx)
    try:
        claims = jose.verify(hint, found.verifying.get, types=frozenset({tokens.ID}))
    except jose.BadToken:
        return _ask(request, "id_token_hint is not an ID token of ours")
    if claims.get("token_use", "id") != "id" or claims["aud"] != request.client.client_id:
        return _ask(request, "id_token_hint was not issued to this client")
    request.hinted_sub = claims["sub"]
    return None


def _ask(request: AuthorizationRequest, reason: str) -> None:
    if request.silent:
        raise LoginRequired(reason)
    request.prompts |= {"select_account"}
