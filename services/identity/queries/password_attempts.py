"""Limits, the reserved try and the account: one statement before the check of a password."""

from __future__ import annotations

from dataclasses import dataclass

from common.address_keys import address_key
from common.attempt_counts import COUNTED
from common.db import Db
from identity.queries.accounts import ACCOUNT_COLUMNS, Account
from identity.queries.lockouts import RESERVED


@dataclass(frozen=True)
class PasswordAttempt:
    """`wait` are the seconds until a limit ends that was exceeded, or None. `is_reserved`: the address is
    not locked, and the try is counted as pending."""

    wait: int | None
    is_reserved: bool
    account: Account | None


async def begin(
    db: Db,
    *,
    app_id: str,
    limit_keys: list[str],
    seconds: list[int],
    most: list[int],
    address_hash: str,
    email: str,
) -> PasswordAttempt:
    """Counts an attempt against limits that allow `most` in a window of `seconds`. Reserves a try for the
    address only if none is exceeded. Finds the account of `email`."""
    row = await db.fetchrow(
        f"""
        WITH {COUNTED},
        reserved AS (
            INSERT INTO sign_in_guards AS g
                (app_id, address_hash, pending, pending_until, expires_at)
            SELECT $1::uuid, $5, 1, now() + interval '15 seconds', now() + interval '90 days'
            FROM exceeded WHERE exceeded.wait IS NULL
            {RESERVED}
        )
        SELECT exceeded.wait, EXISTS (SELECT FROM reserved) AS is_reserved, {ACCOUNT_COLUMNS}
        FROM exceeded
        LEFT JOIN users u ON u.app_id = $1::uuid AND u.email_normalized = $6
        LEFT JOIN passwords p ON p.app_id = u.app_id AND p.user_id = u.id
        """,
        app_id,
        limit_keys,
        seconds,
        most,
        address_hash,
        address_key(email),
    )
    assert row is not None  # an aggregate without groups
    columns = dict(row)
    wait, is_reserved = columns.pop("wait"), columns.pop("is_reserved")
    account = Account(**columns) if columns["id"] is not None else None
    return PasswordAttempt(wait, is_reserved, account)
