"""PKCE with the method S256 (RFC 7636 section 4.4.1, RFC 9700 section 2.1.1).

Without a method, a challenge is `plain`, which is refused. A confidential client of OpenID Connect
may use a nonce instead, unless it is registered with `require_pkce`. The nonce binds the code to
the browser, and the secret binds it to the client.

`dpop_jkt` binds the code, too: to the key that must redeem it (RFC 9449 section 10).
"""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import dpop_proofs, pkce, scope_catalogue
from oidc.authorization_request import AuthorizationRequest
from oidc.bindings import DPOP
from oidc.deps import Deps


async def pkce_is_s256(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `cnf`. Raises OAuthError if PKCE is missing, if its method is not S256, or if `dpop_jkt` is not
    a thumbprint."""
    thumbprint = request.parameters.get("dpop_jkt")
    if thumbprint is not None:
        if not dpop_proofs.is_thumbprint(thumbprint):
            raise OAuthError("dpop_jkt is not a SHA-256 in base64url")
        request.cnf = {DPOP: thumbprint}
    challenge = request.parameters.get("code_challenge")
    method = request.parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            raise OAuthError("code_challenge is missing")
        if request.client.needs_pkce:
            raise OAuthError("code_challenge is missing: this client must use PKCE")
        if request.client.require_pkce is None and not _has_nonce(request):
            raise OAuthError("code_challenge is missing: use PKCE, or the scope openid and a nonce")
        return
    if method != "S256":
        raise OAuthError("code_challenge_method must be S256")
    if not pkce.is_challenge(challenge):
        raise OAuthError("code_challenge is not a SHA-256 in base64url")


def _has_nonce(request: AuthorizationRequest) -> bool:
    return "nonce" in request.parameters and "openid" in scope_catalogue.parse(
        request.parameters.get("scope")
    )
