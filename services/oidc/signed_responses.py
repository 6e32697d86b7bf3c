"""Signed authorization responses: JWT Secured Authorization Response Mode for OAuth 2.0 (JARM)."""

from __future__ import annotations

from typing import Final

from common.context import Context
from oidc import jose, keys, security_profile
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.timestamps import now

MODES: Final[dict[str, str]] = {
    "query.jwt": "query",
    "fragment.jwt": "fragment",
    "form_post.jwt": "form_post",
    "jwt": "query",
}
"""How the browser brings the JWT (section 2.3). `jwt` is the default of the response type `code`."""
LIFETIME: Final = 300
"""Seconds for which a response is valid. Section 2.1 recommends 10 minutes at most."""
DEFAULT_ALG: Final = "RS256"
"""Of a client without `authorization_signed_response_alg` (section 3)."""


async def sign(
    deps: Deps, ctx: Context, request: AuthorizationRequest, fields: list[tuple[str, str]]
) -> str:
    """Returns the parameters of a response as a JWT for the client (section 2.1)."""
    client = request.client
    alg = security_profile.response_alg(client, DEFAULT_ALG)
    key = await keys.signing_key(deps, ctx, alg)
    about = {"iss": ctx.origin, "aud": client.client_id, "exp": now() + LIFETIME}
    return key.sign(jose.ID_TOKEN, dict(fields) | about)
