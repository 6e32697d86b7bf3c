"""used_assertions: each assertion of an identity provider gives tokens once (RFC 7523 section 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from common.sql import numbered
from oidc.queries.family_start import START_FAMILY, AuditParameters, NewFamily


class AssertionUse(NamedTuple):
    """The hash of an assertion's issuer and jti. It is kept until the assertion has expired."""

    assertion_hash: str
    assertion_expires_at: datetime


REDEEM: Final = numbered(
    f"""
    WITH consumed AS (
        INSERT INTO used_assertions (app_id, assertion_hash, expires_at)
        VALUES (:app_id, :assertion_hash, :assertion_expires_at)
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), {START_FAMILY}
    """,
    NewFamily,
    AuditParameters,
    AssertionUse,
)
