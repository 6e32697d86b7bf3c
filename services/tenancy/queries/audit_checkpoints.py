"""Reads and adds audit_checkpoints, the signed heads of the chains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.contracts.audit_log import SignedHead
from common.crypto import b64url
from common.db import Db, many, maybe, run
from tenancy.queries.audit_chain import Head


@dataclass(frozen=True)
class CheckpointRow:
    """A signed head, with its hash as bytes."""

    app_id: str
    seq: int
    hash: bytes
    kid: str
    signature: str
    created_at: datetime

    def to_contract(self) -> SignedHead:
        """Returns the checkpoint as the API shows it."""
        return SignedHead(
            app_id=self.app_id,
            seq=self.seq,
            hash=b64url(self.hash),
            kid=self.kid,
            signature=self.signature,
            created_at=self.created_at,
        )


async def last(db: Db, *, app_id: str) -> Head | None:
    """Returns the head that was signed last, or None."""
    return await maybe(
        db,
        Head,
        """
        SELECT seq, hash, created_at FROM audit_checkpoints
        WHERE app_id = $1 ORDER BY seq DESC LIMIT 1
        """,
        app_id,
    )


async def page(db: Db, *, app_id: str, after: int, limit: int) -> list[CheckpointRow]:
    """Returns the checkpoints after that place in the chain, the oldest first."""
    return await many(
        db,
        CheckpointRow,
        """
        SELECT app_id, seq, hash, kid, signature, created_at FROM audit_checkpoints
        WHERE app_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
        """,
        app_id,
        after,
        limit,
    )


async def insert(
    db: Db, *, app_id: str, seq: int, hash: bytes, kid: str, signature: str, created_at: datetime
) -> None:
    """Adds a checkpoint."""
    await run(
        db,
        """
        INSERT INTO audit_checkpoints (app_id, seq, hash, kid, signature, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        app_id,
        seq,
        hash,
        kid,
        signature,
        created_at,
    )
