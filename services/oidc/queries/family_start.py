"""The statements that start a token family for a user, and what they all have in common.

A grant is redeemed by one statement (docs/adr/0006). It consumes the grant, checks the user, the session and
revocations, and stores the family with its refresh token, the session's client and the event. Each such
statement is composed of the parts below: docs/dev/add-grant.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from common.audit import Entry
from common.db import Db, maybe
from common.sql import qualified
from oidc.queries.conditions import LIVE_SESSION, USER_OF_EPOCH
from oidc.queries.token_grants import GRANT_COLUMNS, USER_COLUMNS


class NewFamily(NamedTuple):
    """A token family to start, its refresh token and the client of the session.

    Lifetimes are in seconds. `refresh_hash` is None for a family without refresh tokens. `revocations` are the
    revocations of the user's grants that were known when the grant was started. A family without a session
    lives until it expires.
    """

    app_id: str
    id: str
    client_id: str
    client_epoch: int
    user_id: str
    user_epoch: int
    session_id: str | None
    sid: str | None
    scopes: list[str]
    resource: list[str]
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime
    acr: str | None
    amr: list[str]
    org_id: str | None
    cnf: dict[str, Any] | None
    authorization_details: list[dict[str, Any]] | None
    revocations: list[str]
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


def audit_parameters(entry: Entry) -> AuditParameters:
    """Returns the parameters of the event."""
    return AuditParameters(
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


LIVE_GRANT: Final = f"""
    live AS (
        SELECT u.epoch AS user_epoch, {qualified("u", USER_COLUMNS)}, m.role_id AS org_role,
               s.actor_id, s.actor_app_id, s.expires_at AS session_expires_at
        FROM users u
        LEFT JOIN user_sessions s
          ON s.app_id = :app_id AND s.id = :session_id AND s.user_id = u.id AND {LIVE_SESSION}
        LEFT JOIN organization_members m
          ON m.app_id = :app_id AND m.org_id = :org_id AND m.user_id = u.id
        WHERE u.app_id = :app_id AND u.id = :user_id AND {USER_OF_EPOCH} :user_epoch
          AND NOT EXISTS (
              SELECT FROM revoked_grants g
              WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id = :user_id
                AND g.id <> ALL (:revocations))
          AND NOT EXISTS (
              SELECT FROM revoked_grants g
              WHERE g.app_id = :app_id AND g.client_id = :client_id AND g.user_id IS NULL
                AND g.id <> ALL (:revocations))"""
"""The policy of every grant of a user, as a query: no row if the user may not be granted tokens now. The
session `s` is that of the grant if it is live. Each statement says whether it needs one, and closes the query."""

STORED_GRANT: Final = f"""
    refresh_token AS (
        INSERT INTO refresh_tokens (app_id, token_hash, family_id, client_id, {GRANT_COLUMNS},
                                    user_epoch, expires_at, absolute_expires_at)
        SELECT :app_id, :refresh_hash, :id, :client_id, :user_id, :session_id, :sid, :scopes,
               :resource, :claims, :nonce, :auth_time, :acr, :amr, :org_id,
               :cnf, :authorization_details, user_epoch,
               now() + make_interval(secs => :refresh_lifetime),
               now() + make_interval(secs => :max_lifetime)
        FROM valid WHERE :refresh_hash::text IS NOT NULL AND actor_id IS NULL
    ), session_client AS (
        INSERT INTO session_clients (app_id, session_id, client_id, issuer, sid, subject,
                                     user_id, expires_at)
        SELECT :app_id, :session_id, :client_id, :issuer, :sid, :subject, :user_id,
               session_expires_at
        FROM valid WHERE session_expires_at IS NOT NULL
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
    )"""
"""Stores what belongs to the family of the row in `valid`."""

START_FAMILY: Final = f"""
    {LIVE_GRANT}
          AND (s.id IS NOT NULL OR :session_id::uuid IS NULL) AND EXISTS (SELECT FROM consumed)
    ), family AS (
        INSERT INTO token_families (app_id, id, client_id, user_id, session_id, offline,
                                    absolute_expires_at, client_epoch)
        SELECT :app_id, :id, :client_id, :user_id, :session_id,
               :session_id::uuid IS NULL OR 'offline_access' = ANY (:scopes),
               now() + make_interval(secs => :max_lifetime), :client_epoch
        FROM live
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), valid AS (
        SELECT live.* FROM live CROSS JOIN family
    ), {STORED_GRANT}
    SELECT now() AS issued_at, v.user_epoch, v.org_role, {qualified("v", USER_COLUMNS)},
           v.actor_id, v.actor_app_id
    FROM valid v"""
"""Starts the family of a grant that the statement before it, named `consumed`, has consumed. Write
`WITH consumed AS (UPDATE … RETURNING 1), {START_FAMILY}`, numbered with NewFamily, AuditParameters and the
parameters of the UPDATE. A grant that is consumed and not valid any more starts nothing."""


@dataclass(frozen=True, slots=True)
class StartedFamily:
    """A token family that was started, and the present data of its user."""

    issued_at: datetime
    user_epoch: int
    org_role: str | None
    email: str | None
    email_verified: bool
    name: str | None
    picture: str | None
    guest: bool
    actor_id: str | None
    actor_app_id: str | None


async def start(
    db: Db, statement: LiteralString, family: NewFamily, entry: Entry, *, consumed: tuple[Any, ...]
) -> StartedFamily | None:
    """Consumes a grant and starts its token family. `consumed` are the parameters of the consumption.

    Returns None if the grant was consumed before, or if the user, the session or a revocation forbids it.
    """
    return await maybe(db, StartedFamily, statement, *family, *audit_parameters(entry), *consumed)
