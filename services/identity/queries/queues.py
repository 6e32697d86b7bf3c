"""Lengths and ages of the queues, read with the roles of the jobs that empty them."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.queues import MOST_COUNTED
from common.db import Db, many, one


@dataclass(frozen=True)
class Length:
    service: str
    waiting: int
    age: float


async def outbox(db: Db, *, services: list[str]) -> list[Length]:
    """Returns a row for each service, as aero2_relay. An age is that of the row written first."""
    return await many(
        db,
        Length,
        """
        -- any-tenant: lengths and ages only
        SELECT service, waiting, coalesce(extract(epoch FROM now() - oldest), 0)::float8 AS age
        FROM unnest($1::text[]) service, LATERAL (
            SELECT count(*) AS waiting, min(created_at) AS oldest FROM (
                SELECT created_at FROM audit_outbox o WHERE o.service = service.service
                ORDER BY seq LIMIT $2
            ) first
        ) queue
        """,
        services,
        MOST_COUNTED,
    )


async def mail(db: Db) -> Length:
    """Returns the number and age of undelivered mails, as aero2_mail."""
    return await one(
        db,
        Length,
        """
        -- any-tenant: length and age only
        SELECT 'identity' AS service, count(*) AS waiting,
            coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS age
        FROM (
            SELECT created_at FROM mail_outbox WHERE failed_at IS NULL
            ORDER BY next_attempt_at LIMIT $1
        ) first
        """,
        MOST_COUNTED,
    )
