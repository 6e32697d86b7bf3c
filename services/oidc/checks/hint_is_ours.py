"""The parameter `id_token_hint` (OpenID Connect Core section 3.1.2.1), expired or not.

If the hint cannot be verified, for example because its key was retired, the user chooses the
account. `prompt=none` fails then.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import LoginRequired
from oidc import jose, json_web_keys, keys
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def hint_is_ours(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `hinted_sub` to the user of the hint."""
    hint = request.parameters.get("id_token_hint")
    if hint is None:
        return None
    key_set = await keys.get_key_set(deps, ctx)
    try:
        claims = jose.verify(hint, key_set.verifying.get, types=frozenset({jose.ID_TOKEN}))
    except json_web_keys.BadToken:
        return _select_account(request, "id_token_hint is not an ID token of this application")
    if claims.get("token_use", "id") != "id" or claims["aud"] != request.client.client_id:
        return _select_account(request, "id_token_hint was not issued to this client")
    request.hinted_sub = claims["sub"]
    return None


def _select_account(request: AuthorizationRequest, reason: str) -> None:
    if request.silent:
        raise LoginRequired(reason)
    request.prompts |= {"select_account"}
