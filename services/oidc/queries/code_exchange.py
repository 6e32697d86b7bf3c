"""The statement that redeems an authorization code and starts its token family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from common.audit import Entry
from common.db import Db, one
from common.sql import numbered, qualified
from oidc.queries.conditions import LIVE_SESSION
from oidc.queries.token_grants import GRANT_COLUMNS, USER_COLUMNS


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


class CodeExchange(NamedTuple):
    """A code, the refresh token to store and the client of the session. Lifetimes are in seconds.

    `accepted`: the client has presented what belongs to the code.
    """

    app_id: str
    id: str
    client_id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    session_id: str
    sid: str
    scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    revocations: list[str]
    code_expires_at: datetime
    accepted: bool
    refresh_hash: str | None
    refresh_lifetime: float
    max_lifetime: float
    issuer: str
    subject: str


class AuditParameters(NamedTuple):
    """The audit event."""

    event_id: str
    event_type: str
    event_data: dict[str, object]
    data_version: int
    actor_kind: str
    actor_id: str | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    payload: bytes
    trace: str


EXCHANGE: Final = numbered(
    f"""
    WITH live AS (
        SELECT u.epoch AS user_epoch, {qualified("u", USER_COLUMNS)}, m.role_id AS org_role,
               s.actor_id, s.actor_app_id, s.expires_at AS session_expires_at
        FROM users u
        JOIN user_sessions s ON s.app_id = :app_id AND s.id = :session_id AND s.user_id = u.id
             AND {LIVE_SESSION}
        LEFT JOIN organization_members m
          ON m.app_id = :app_id AND m.org_id = :org_id AND m.user_id = u.id
        WHERE :accepted AND u.app_id = :app_id AND u.id = :user_id AND NOT u.disabled
          AND u.epoch = :user_epoch
          AND NOT EXISTS (
              SELECT FROM revoked_grants g
              WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id = :user_id
                AND g.id <> ALL (:revocations))
          AND NOT EXISTS (
              SELECT FROM revoked_grants g
              WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id IS NULL
                AND g.id <> ALL (:revocations))
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
    ), refresh_token AS (
        INSERT INTO refresh_tokens (app_id, token_hash, family_id, client_id, {GRANT_COLUMNS},
                                    user_epoch, expires_at, absolute_expires_at)
        SELECT :app_id, :refresh_hash, :id, :client_id, :user_id, :session_id, :sid, :scopes,
               :resource, :claims, :nonce, :auth_time, :acr, :amr, :org_id, user_epoch,
               now() + make_interval(secs => :refresh_lifetime),
               now() + make_interval(secs => :max_lifetime)
        FROM valid WHERE :refresh_hash::text IS NOT NULL AND actor_id IS NULL
    ), session_client AS (
        INSERT INTO session_clients (app_id, session_id, client_id, issuer, sid, subject,
                                     user_id, expires_at)
        SELECT :app_id, :session_id, :client_id, :issuer, :sid, :subject, :user_id,
               session_expires_at
        FROM valid
        ON CONFLICT DO NOTHING
    ), audit_log AS (
        INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
            actor_kind, actor_id, session_id, org_id, ip_address, user_agent, created_at, trace)
        SELECT :app_id, :event_id, :user_id, :event_type, :event_data, :data_version,
               :actor_kind, :actor_id, :session_id, :org_id, :ip_address, :user_agent,
               :created_at, :trace
        FROM valid
    ), outbox AS (
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
        SELECT :app_id, :event_id, :event_type, :payload FROM valid
    )
    SELECT EXISTS (SELECT FROM family) AS spent, now() AS issued_at, v.user_epoch, v.org_role,
           {qualified("v", USER_COLUMNS)}, v.actor_id, v.actor_app_id
    FROM (SELECT 1) AS always LEFT JOIN valid v ON true
    """,
    CodeExchange,
    AuditParameters,
)


async def exchange(db: Db, code: CodeExchange, entry: Entry) -> RedeemedCode:
    """Redeems the code and, if it is valid, starts its token family.

    The family has the code's id, so its primary key says whether a code was used. A code that is
    refused is used up, too: it leaves a family that was revoked from the start. So nobody can try
    several verifiers.
    """
    event = AuditParameters(
        event_id=entry.id,
        event_type=entry.event_type,
        event_data=entry.event_data,
        data_version=entry.version,
        actor_kind=entry.actor_kind,
        actor_id=entry.actor_id,
        ip_address=entry.ip_address,
        user_agent=entry.user_agent,
        created_at=entry.created_at,
        payload=entry.payload(),
        trace=entry.trace,
    )
    return await one(db, RedeemedCode, EXCHANGE, *code, *event)
