"""Reads audit_logs for people who may read the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from common import keyset
from common.contracts.audit_log import AuditRecord
from common.db import Db, many, maybe


@dataclass(frozen=True)
class Filters:
    """The filters and the place of a page.

    `before` is a created_at and id that come after all rows of the page. With two upper bounds in
    SQL, Postgres would begin at the wrong one and read on.
    """

    event_type: str | None
    user_id: str | None
    ip_address: str | None
    since: datetime | None
    before: tuple[datetime, str]
    limit: int


RECORDS: Final = """
    l.id, l.event_type, l.event_data, l.data_version AS version, l.user_id,
           u.email AS user_email, u.name AS user_name, l.actor_kind, l.actor_id, l.session_id,
           l.org_id, l.ip_address, l.user_agent, l.trace, l.created_at
    FROM audit_logs l LEFT JOIN users u ON u.app_id = $1 AND u.id = l.user_id"""
BY_ID: Final = f"""
    SELECT {RECORDS}
    WHERE l.app_id = $1 AND l.id = $2
    """
PAGE: Final = f"""
    SELECT {RECORDS}
    WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz
      AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
    ORDER BY l.created_at DESC, l.id DESC LIMIT $5
    """
PAGE_OF_TYPE: Final = f"""
    SELECT {RECORDS}
    WHERE l.app_id = $1 AND l.event_type = $6 AND l.created_at >= $2::timestamptz
      AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
    ORDER BY l.created_at DESC, l.id DESC LIMIT $5
    """
PAGE_OF_ADDRESS: Final = f"""
    SELECT {RECORDS}
    WHERE l.app_id = $1 AND l.ip_address = $6
      AND ($7::text IS NULL OR l.event_type = $7)
      AND l.created_at >= $2::timestamptz
      AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
    ORDER BY l.created_at DESC, l.id DESC LIMIT $5
    """
PAGE_OF_USER: Final = f"""
    SELECT {RECORDS}
    WHERE l.app_id = $1 AND l.user_id = $6
      AND ($7::text IS NULL OR l.event_type = $7)
      AND ($8::text IS NULL OR l.ip_address = $8)
      AND l.created_at >= $2::timestamptz
      AND (l.created_at, l.id) < ($3::timestamptz, $4::uuid)
    ORDER BY l.created_at DESC, l.id DESC LIMIT $5
    """


async def page(db: Db, *, app_id: str, filters: Filters) -> list[AuditRecord]:
    """Returns the records that match, the newest first.

    Each filter has a statement of its own, which walks the index for that filter.
    """
    place = (app_id, filters.since or keyset.OLDEST, *filters.before, filters.limit)
    type_, user_id, address = filters.event_type, filters.user_id, filters.ip_address
    if user_id is not None:
        return await many(db, AuditRecord, PAGE_OF_USER, *place, user_id, type_, address)
    if address is not None:
        return await many(db, AuditRecord, PAGE_OF_ADDRESS, *place, address, type_)
    if type_ is not None:
        return await many(db, AuditRecord, PAGE_OF_TYPE, *place, type_)
    return await many(db, AuditRecord, PAGE, *place)


async def by_id(db: Db, *, app_id: str, id: str) -> AuditRecord | None:
    """Returns the record, or None."""
    return await maybe(db, AuditRecord, BY_ID, app_id, id)
