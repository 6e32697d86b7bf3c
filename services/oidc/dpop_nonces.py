"""Nonces of DPoP proofs (RFC 9449 sections 8 and 9), and the epoch of the memory of used proofs.

A nonce is an HMAC of the application, the epoch and the minute, so every replica knows those of the others and
none is stored. That of this minute and that of the one before are good.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from common import clock
from common.context import Context
from common.contracts.oauth_errors import UseDpopNonce
from common.crypto import b64url
from common.ids import new_id
from common.problems import Busy
from common.sealing import unb64
from oidc.deps import Deps
from oidc.queries import dpop_jtis
from oidc.queries.dpop_jtis import ProofEpoch

STEP: Final = 60
"""Seconds in which the same nonce is given out."""
PURPOSE: Final = "dpop-nonce"
SIZE: Final = 16
TRIES: Final = 3


async def get_epoch(deps: Deps, ctx: Context) -> ProofEpoch:
    """Returns the application's epoch, from the cache. `forget_epoch` has it read again."""

    async def load() -> ProofEpoch:
        for _ in range(TRIES):
            async with deps.db.autocommit(ctx) as db:
                epoch = await dpop_jtis.find_epoch(db, app_id=ctx.app_id, new=new_id())
            if epoch is not None:
                return epoch
        raise Busy

    return await deps.caches.proof_epochs.fetch(
        (ctx.app_id, "epoch"), load, tags=lambda _: [("dpop_epoch", ctx.app_id)]
    )


def forget_epoch(deps: Deps, ctx: Context) -> None:
    """Drops the cached epoch, after the database knew another one."""
    deps.caches.proof_epochs.drop(ctx.app_id, "dpop_epoch", ctx.app_id)


def present_nonce(deps: Deps, ctx: Context, epoch: ProofEpoch) -> str:
    """Returns the nonce of this minute."""
    digest = deps.keys.digest(PURPOSE, _message(ctx, epoch, _step()))
    return b64url(digest[:SIZE])


def is_valid(deps: Deps, ctx: Context, epoch: ProofEpoch, nonce: str) -> bool:
    """Returns whether the nonce is that of this minute or of the one before."""
    try:
        digest = unb64(nonce)
    except ValueError:
        return False
    step = _step()
    return len(digest) == SIZE and any(
        deps.keys.has_made(PURPOSE, _message(ctx, epoch, each), digest, SIZE)
        for each in (step, step - 1)
    )


async def demand(deps: Deps, ctx: Context) -> UseDpopNonce:
    """Returns the error that gives the client a nonce."""
    epoch = await get_epoch(deps, ctx)
    return UseDpopNonce(nonce=present_nonce(deps, ctx, epoch))


def _step() -> int:
    return int(clock.now()) // STEP


def _message(ctx: Context, epoch: ProofEpoch, step: int) -> bytes:
    return f"{ctx.app_id}|{epoch.id}|{step}".encode()


def seconds_after(epoch: ProofEpoch, moment: float) -> float:
    """Returns how long after the start of the epoch a moment lies."""
    started: datetime = epoch.created_at
    return moment - started.timestamp()
