"""Proof of possession: the key that a request proves to hold, by DPoP (RFC 9449)."""

from __future__ import annotations

from typing import Final

from common import clock
from common.context import Context
from common.contracts.oauth_errors import InvalidDpopProof, UseDpopNonce
from common.problems import RateLimited
from oidc import dpop_nonces, dpop_proofs
from oidc.bindings import DPOP, Binding
from oidc.deps import Deps
from oidc.dpop_proofs import WINDOW, DpopProof
from oidc.queries import dpop_jtis
from oidc.queries.clients import RegisteredClient
from oidc.queries.dpop_jtis import ProofEpoch, UsedProof

KEPT: Final = 2.0 * dpop_nonces.STEP + WINDOW
"""Seconds that a used proof is remembered: longer than it could be used again."""
PER_SECOND: Final = 50
BURST: Final = 200
"""Proofs of one key at each replica: each is a row."""


async def prove(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    proof: str | None,
    *,
    method: str,
    path: str,
) -> Binding | None:
    """Returns what the client's request proves to hold, or None if it proves nothing and need not.

    Raises InvalidDpopProof if a proof is missing that the client's setting demands, and as `prove_key` does.
    """
    if proof is not None:
        return await prove_key(deps, ctx, client, proof, method=method, path=path)
    if client.dpop_bound_access_tokens:
        raise InvalidDpopProof("tokens of this client are bound to a key: send a DPoP proof")
    return None


async def prove_key(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    proof: str,
    *,
    method: str,
    path: str,
    access_token: str | None = None,
) -> Binding:
    """Verifies a DPoP proof for this request and uses it up. Returns what tokens are bound to.

    Public clients and those of a security profile need a nonce. Raises InvalidDpopProof, also for a proof that was
    used before; UseDpopNonce with a new nonce; RateLimited.
    """
    read = dpop_proofs.read(
        proof, method=method, url=f"{ctx.origin}{path}", access_token=access_token
    )
    epoch = await _check_nonce(deps, ctx, client, read)
    _charge(deps, ctx, read.thumbprint)
    async with deps.db.autocommit(ctx) as db:
        use = await dpop_jtis.use(db, UsedProof(ctx.app_id, read.id, epoch.id, KEPT))
    if not use.same_epoch:
        dpop_nonces.forget_epoch(deps, ctx)
        raise await dpop_nonces.demand(deps, ctx)
    if not use.unused:
        raise InvalidDpopProof("the DPoP proof was used before")
    return {DPOP: read.thumbprint}


async def _check_nonce(
    deps: Deps, ctx: Context, client: RegisteredClient, proof: DpopProof
) -> ProofEpoch:
    """Returns the present epoch. Raises UseDpopNonce if the nonce is too old, or is missing and needed.

    Soon after the memory of used proofs was lost, every proof needs one: a proof of before could be used again.
    """
    epoch = await dpop_nonces.get_epoch(deps, ctx)
    if proof.nonce is not None:
        if dpop_nonces.is_valid(deps, ctx, epoch, proof.nonce):
            return epoch
    elif not needs_nonce(client) and dpop_nonces.seconds_after(epoch, proof.issued_at) > WINDOW:
        return epoch
    raise UseDpopNonce(nonce=dpop_nonces.present_nonce(deps, ctx, epoch))


def needs_nonce(client: RegisteredClient) -> bool:
    """Returns whether the client's proofs need a nonce: nobody but the proof says who sends it, or its
    profile demands one."""
    return client.public or client.security_profile is not None


def _charge(deps: Deps, ctx: Context, thumbprint: str) -> None:
    """Counts a proof of this key (GCRA). Raises RateLimited."""
    key, now = (ctx.app_id, "jkt", thumbprint), clock.now()
    due = max(deps.caches.proof_rates.get(key) or now, now)
    if due - now > BURST / PER_SECOND:
        raise RateLimited("too many DPoP proofs of this key", retry_after=1)
    deps.caches.proof_rates.put(key, due + 1 / PER_SECOND)
