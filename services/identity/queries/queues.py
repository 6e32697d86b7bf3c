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
    """Returns a row for each service, as aero2_relay. An age is that of the row written first, which is
    the first one of its application."""
    return await many(
        db,
        Length,
        """
        -- any-tenant: lengths and ages only
        SELECT service, waiting, coalesce(extract(epoch FROM now() - oldest), 0)::float8 AS age
        FROM unnest($1::text[]) service, LATERAL (
            SELECT count(*) AS waiting FROM (
                SELECT FROM audit_outbox o WHERE o.service = service.service LIMIT $2
            ) counted
        ) queue, LATERAL (
            WITH RECURSIVE heads AS (
                (SELECT app_id, created_at, 1 AS number FROM audit_outbox o
                 WHERE o.service = service.service ORDER BY app_id, seq LIMIT 1)
                UNION ALL
                SELECT next.app_id, next.created_at, number + 1
                FROM heads CROSS JOIN LATERAL (
                    SELECT app_id, created_at FROM audit_outbox o
                    WHERE o.service = service.service AND app_id > heads.app_id
                    ORDER BY app_id, seq LIMIT 1
                ) next
                WHERE number < $2
            )
            SELECT min(created_at) AS oldest FROM heads
        ) first
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
