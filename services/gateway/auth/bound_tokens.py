"""Access tokens that are bound to a key (RFC 9449 section 7): each request proves the key, so nothing about
them is cached here."""

from __future__ import annotations

from common.contracts.oauth_errors import InvalidDpopProof, InvalidToken, UseDpopNonce
from common.contracts.tokens import MAX_PROOF, CheckBoundAccessToken
from gateway.admission.admission import admission_of
from gateway.auth import callers
from gateway.auth.cache import MAX_TOKEN
from gateway.http.request import GatewayRequest
from gateway.http.response import DPOP
from gateway.state import Gateway, ValidToken


def dpop_proof(request: GatewayRequest) -> str | None:
    """Returns the proof in the header DPoP, or None if there is none. Raises InvalidDpopProof for one that is
    too long."""
    proof = request.header(b"dpop")
    if proof is not None and len(proof) > MAX_PROOF:
        raise InvalidDpopProof("the DPoP proof is too long", scheme=DPOP)
    return proof


async def bound_token(gateway: Gateway, request: GatewayRequest, token: str) -> ValidToken:
    """Returns the token that a request presents with the scheme DPoP.

    Raises InvalidToken, InvalidDpopProof or UseDpopNonce: each with a challenge of this scheme.
    """
    if len(token) > MAX_TOKEN:
        raise InvalidToken("the access token is too long", scheme=DPOP)
    proof = dpop_proof(request)
    if proof is None:
        raise InvalidDpopProof("send a DPoP proof with the access token", scheme=DPOP)
    path = (request.raw_path or request.path.encode()).decode("latin-1")
    call = CheckBoundAccessToken(token=token, proof=proof, method=request.method, path=path)
    admission = admission_of(request)
    try:
        checked = await gateway.bus.call(request.context(), call)
    except InvalidToken as error:
        admission.reject(token)
        error.extra["scheme"] = DPOP
        raise
    except InvalidDpopProof as error:  # the token may be good, and stolen
        error.extra["scheme"] = DPOP
        raise
    except UseDpopNonce as error:  # the token was checked before its proof
        admission.accept(token)
        error.extra["scheme"] = DPOP
        raise
    admission.accept(token)
    caller = callers.of_token(request.app, checked, gateway.settings.operator_mfa)
    return ValidToken(checked, caller)
