"""The statement that redeems an authorization code and starts its token family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from common.audit import Entry
from common.db import Db, one
from common.sql import numbered, qualified
from oidc.queries.family_start import (
    LIVE_GRANT,
    STORED_GRANT,
    AuditParameters,
    NewFamily,
    audit_parameters,
)
from oidc.queries.token_grants import USER_COLUMNS


@dataclass(frozen=True, slots=True)
class RedeemedCode:
    """The result of redeeming a code, and the present data of its user.

    `spent` is False if the code had been redeemed before, or has expired. The fields after
    `issued_at` are None unless a token family was started.
    """

    spent: bool
    issued_at: datetime
    user_epoch: int | None
    org_role: str | None
    email: str | None
    email_verified: bool | None
    name: str | None
    picture: str | None
    guest: bool | None
    actor_id: str | None
    actor_app_id: str | None


class CodeUse(NamedTuple):
    """When the code expires, and whether the client has presented what belongs to it."""

    code_expires_at: datetime
    accepted: bool


EXCHANGE: Final = numbered(
    f"""
    WITH {LIVE_GRANT}
          AND s.id IS NOT NULL AND :accepted
    ), family AS (
        INSERT INTO token_families (app_id, id, client_id, user_id, session_id, offline,
                                    absolute_expires_at, client_epoch, revoked_at, revoked_reason)
        SELECT :app_id, :id, :client_id,
               CASE WHEN granted THEN :user_id END, CASE WHEN granted THEN :session_id END,
               granted AND 'offline_access' = ANY (:scopes),
               CASE WHEN granted THEN now() + make_interval(secs => :max_lifetime)
                    ELSE :code_expires_at END, :client_epoch,
               CASE WHEN NOT granted THEN now() END,
               CASE WHEN NOT granted THEN 'code_refused' END
        FROM (SELECT EXISTS (SELECT FROM live) AS granted) checked
        WHERE :code_expires_at > now()
        ON CONFLICT DO NOTHING
        RETURNING revoked_at IS NULL AS granted
    ), valid AS (
        SELECT live.* FROM live JOIN family ON family.granted
    ), {STORED_GRANT}
    SELECT EXISTS (SELECT FROM family) AS spent, now() AS issued_at, v.user_epoch, v.org_role,
           {qualified("v", USER_COLUMNS)}, v.actor_id, v.actor_app_id
    FROM (SELECT 1) AS always LEFT JOIN valid v ON true
    """,
    NewFamily,
    AuditParameters,
    CodeUse,
)


async def exchange(db: Db, family: NewFamily, use: CodeUse, entry: Entry) -> RedeemedCode:
    """Redeems the code and, if it is valid, starts its token family.

    The family has the code's id, so its primary key says whether a code was used. A code that is
    refused is used up, too: it leaves a family that was revoked from the start. So nobody can try
    several verifiers.
    """
    return await one(db, RedeemedCode, EXCHANGE, *family, *audit_parameters(entry), *use)
