"""dpop_jtis: the proofs that were used, and the epoch of this memory.

The table is UNLOGGED, so a crash and a failover forget it. Its row with the empty id is the epoch. It is
forgotten with the others, and the next request makes another one: nonces of the epoch before are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from common.db import Db, maybe, one
from common.sql import numbered


@dataclass(frozen=True, slots=True)
class ProofEpoch:
    """A name for what the table has remembered since `created_at`."""

    id: str
    created_at: datetime


class UsedProof(NamedTuple):
    """A proof. `lifetime` is in seconds."""

    app_id: str
    id: bytes
    epoch: str
    lifetime: float


@dataclass(frozen=True, slots=True)
class ProofUse:
    """Whether the epoch is the present one, and whether the proof was not used before."""

    same_epoch: bool
    unused: bool


USE: Final = numbered(
    """
    WITH present AS (
        SELECT FROM dpop_jtis e
        WHERE e.app_id = :app_id AND e.id = '\\x'::bytea AND e.epoch = :epoch
    ), used AS (
        INSERT INTO dpop_jtis (app_id, id, expires_at)
        SELECT :app_id, :id, now() + make_interval(secs => :lifetime) FROM present
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM present) AS same_epoch, EXISTS (SELECT FROM used) AS unused
    """,
    UsedProof,
)


async def use(db: Db, proof: UsedProof) -> ProofUse:
    """Uses a proof up. Nothing is stored if the epoch has ended, or if the proof was used before."""
    return await one(db, ProofUse, USE, *proof)


async def find_epoch(db: Db, *, app_id: str, new: str) -> ProofEpoch | None:
    """Returns the application's epoch, which is `new` if there is none. Returns None if another process makes
    one at this moment: ask again."""
    return await maybe(
        db,
        ProofEpoch,
        """
        WITH made AS (
            INSERT INTO dpop_jtis (app_id, id, epoch, expires_at)
            VALUES ($1, '\\x'::bytea, $2, 'infinity')
            ON CONFLICT DO NOTHING
            RETURNING epoch, created_at
        )
        SELECT epoch AS id, created_at FROM made
        UNION ALL
        SELECT epoch AS id, created_at FROM dpop_jtis WHERE app_id = $1 AND id = '\\x'::bytea
        """,
        app_id,
        new,
    )
