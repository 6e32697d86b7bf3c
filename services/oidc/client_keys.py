"""A client's public keys: those it registered, or those at its jwks_uri."""

from __future__ import annotations

from typing import Any

from common import logs
from common.context import Context
from common.outgoing_http import Unreachable
from oidc import jose
from oidc.deps import Deps
from oidc.jose import PublicKey
from oidc.queries.clients import Registered

log = logs.get(__name__)


async def keys_of(
    deps: Deps, ctx: Context, client: Registered, kid: str | None, alg: str
) -> list[PublicKey]:
    """Those that may have signed: of this algorithm, and of this kid where one is named. A kid
    that the remembered set lacks makes us fetch it again: the client may have rotated."""
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
    if not deps.known.may_fetch(key):
        return []
    fetched = await _fetched(deps, client.jwks_uri)
    deps.known.client_keys.put(key, fetched, [("client", client.client_id)])
    return fitting(fetched, kid, alg)


async def _fetched(deps: Deps, uri: str) -> dict[str, Any]:
    """An object from there; an empty one where there is none to be had."""
    try:
        found = (await deps.http.request("GET", uri)).json()
    except (Unreachable, ValueError) as error:
        log.info("fetch failed", error=str(error))
        return {}
    return found if isinstance(found, dict) else {}


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
