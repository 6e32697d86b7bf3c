"""A client's public keys: those it registered, or those at its jwks_uri."""

from __future__ import annotations

from typing import Any, Final

from common import logs
from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.outgoing_http import Unreachable
from oidc import jose
from oidc.deps import Deps
from oidc.jose import PublicKey
from oidc.queries.clients import Registered

log = logs.get(__name__)

DEADLINE: Final = 2.0
"""Seconds: less than the gateway waits for us, so that the client gets an answer of ours."""
MAX_BYTES: Final = 65_536
"""Of a JWK Set, as registered or fetched: it is remembered as it is."""
UNFETCHED: Final = "the keys at the client's jwks_uri could not be fetched"


async def keys_of(
    deps: Deps, ctx: Context, client: Registered, kid: str | None, alg: str
) -> list[PublicKey]:
    """Those that may have signed: of this algorithm, and of this kid where one is named. A kid
    that the remembered set lacks makes us fetch it again: the client may have rotated. Raises InvalidClient where no set can be
    fetched."""
    if client.jwks is not None:
        return fitting(client.jwks, kid, alg)
    if client.jwks_uri is None:
        return []
    key = (ctx.app_id, "jwks", client.client_id)
    remembered = deps.known.client_keys.get(key)
    if remembered is not None:
        found = fitting(remembered, kid, alg)
        if found:
            return found
    if deps.known.may_fetch(key):
        remembered = await _fetch(deps, client.jwks_uri)
        deps.known.client_keys.put(key, remembered, [("client", client.client_id)])
    elif remembered is None:
        raise InvalidClient(UNFETCHED)
    return fitting(remembered, kid, alg)


async def _fetch(deps: Deps, uri: str) -> dict[str, Any]:
    """The JWK Set at the address. Raises InvalidClient, so that what is remembered stays."""
    try:
        answer = await deps.http.request("GET", uri, deadline=DEADLINE)
        good = answer.status == 200 and len(answer.body) <= MAX_BYTES
        jwks = answer.json() if good else None
    except (Unreachable, ValueError) as error:
        log.info("jwks_uri not fetched", why=str(error))
        raise InvalidClient(UNFETCHED) from None
    if not isinstance(jwks, dict):
        log.info("jwks_uri not fetched", why=f"status {answer.status}, too long, or no object")
        raise InvalidClient(UNFETCHED)
    return jwks


def fitting(jwks: dict[str, Any], kid: str | None, alg: str) -> list[PublicKey]:
    """The keys of a set that may verify this."""
    listed = jwks.get("keys")
    found: list[PublicKey] = []
    for jwk in listed[:20] if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or (kid is not None and jwk.get("kid", kid) != kid):
            continue
        if jwk.get("alg", alg) != alg:
            continue
        try:
            found.append(jose.load_public(jwk, alg))
        except jose.BadToken:
            continue
    return found
