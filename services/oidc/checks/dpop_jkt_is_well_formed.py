"""The parameter `dpop_jkt` (RFC 9449 section 10): the key that must redeem the code."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import dpop_proofs
from oidc.authorization_request import AuthorizationRequest
from oidc.bindings import DPOP
from oidc.deps import Deps


async def dpop_jkt_is_well_formed(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `cnf`. Raises OAuthError if the parameter is not a thumbprint."""
    thumbprint = request.parameters.get("dpop_jkt")
    if thumbprint is None:
        return
    if not dpop_proofs.is_thumbprint(thumbprint):
        raise OAuthError("dpop_jkt is not a SHA-256 in base64url")
    request.cnf = {DPOP: thumbprint}
