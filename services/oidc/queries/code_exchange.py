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
class ConsumedCode:
    """The result of redeeming a code.

    `redirect_uri_matches` and `challenge_matches` are None if there was no such code. `family_id`
    and the fields after it are None if no token family was started.
    """

    redirect_uri_matches: bool | None
    challenge_matches: bool | None
    family_id: str | None
    user_id: str | None
    session_id: str | None
    sid: str | None
    scopes: list[str] | None
    resource: list[str] | None
    claims: dict[str, Any] | None
    nonce: str | None
    auth_time: datetime | None
    acr: str | None
    amr: list[str] | None
    org_id: str | None
    org_role: str | None
    user_epoch: int | None
    email: str | None
    email_verified: bool | None
    name: str | None
    picture: str | None
    guest: bool | None
    issued_at: datetime | None
    actor_id: str | None
    actor_app_id: str | None


class CodeExchange(NamedTuple):
    """A code as a client presents it, and the refresh token to store. Lifetimes are in seconds."""

    app_id: str
    code_hashes: list[str]
    client_id: str
    redirect_uri: str | None
    challenge: str | None
    refresh_hash: str | None
    refresh_lifetime: float
    max_lifetime: float
    client_epoch: int


class AuditParameters(NamedTuple):
    """An audit event. The statement adds the user, session, organization and scopes."""

    event_id: str
    event_type: str
    event_data: dict[str, object]
    data_version: int
    actor_kind: str
    actor_id: str | None
    ip_address: str | None
    user_agent: str | None
    created_at: datetime
    event: dict[str, object]
    trace: str


EXCHANGE: Final = numbered(
    f"""
    WITH consumed AS (
        UPDATE authorization_codes SET used_at = now()
        WHERE app_id = :app_id AND code_hash = ANY (:code_hashes) AND client_id = :client_id
          AND used_at IS NULL AND expires_at > now() AND client_epoch = :client_epoch
        RETURNING {GRANT_COLUMNS}, family_id,
            (CASE WHEN :redirect_uri::text IS NULL THEN NOT redirect_uri_given
                  ELSE redirect_uri = :redirect_uri END) AS redirect_uri_matches,
            code_challenge IS NOT DISTINCT FROM :challenge AS challenge_matches
    ), valid AS (
        SELECT t.*, u.epoch AS user_epoch, {qualified("u", USER_COLUMNS)}, m.role_id AS org_role,
               s.actor_id, s.actor_app_id
        FROM consumed t
        JOIN users u ON u.app_id = :app_id AND u.id = t.user_id AND NOT u.disabled
        JOIN user_sessions s ON s.app_id = :app_id AND s.id = t.session_id AND {LIVE_SESSION}
        LEFT JOIN organization_members m
          ON m.app_id = :app_id AND m.org_id = t.org_id AND m.user_id = t.user_id
        WHERE t.redirect_uri_matches AND t.challenge_matches
    ), family AS (
        INSERT INTO token_families (app_id, id, client_id, user_id, session_id, offline,
                                    absolute_expires_at, client_epoch)
        SELECT :app_id, family_id, :client_id, user_id, session_id,
               'offline_access' = ANY (scopes), now() + make_interval(secs => :max_lifetime),
               :client_epoch
        FROM valid
    ), refresh_token AS (
        INSERT INTO refresh_tokens (app_id, token_hash, family_id, client_id, {GRANT_COLUMNS},
                                    user_epoch, expires_at, absolute_expires_at)
        SELECT :app_id, :refresh_hash, family_id, :client_id, {GRANT_COLUMNS}, user_epoch,
               now() + make_interval(secs => :refresh_lifetime),
               now() + make_interval(secs => :max_lifetime)
        FROM valid WHERE :refresh_hash::text IS NOT NULL AND actor_id IS NULL
    ), audit_log AS (
        INSERT INTO audit_logs (app_id, id, user_id, event_type, event_data, data_version,
            actor_kind, actor_id, session_id, org_id, ip_address, user_agent, created_at, trace)
        SELECT :app_id, :event_id, user_id, :event_type,
               :event_data::jsonb || jsonb_build_object('scopes', scopes), :data_version,
               :actor_kind, :actor_id, session_id, org_id, :ip_address, :user_agent, :created_at,
               :trace
        FROM valid
    ), outbox AS (
        INSERT INTO audit_outbox (app_id, event_id, event_type, payload)
        SELECT :app_id, :event_id, :event_type, convert_to((:event::jsonb || jsonb_build_object(
            'user_id', user_id, 'session_id', session_id, 'org_id', org_id,
            'event_data', :event_data::jsonb || jsonb_build_object('scopes', scopes)))::text, 'UTF8')
        FROM valid
    )
    SELECT t.redirect_uri_matches, t.challenge_matches, v.family_id,
           {qualified("v", GRANT_COLUMNS)}, v.org_role, v.user_epoch,
           {qualified("v", USER_COLUMNS)}, now() AS issued_at, v.actor_id, v.actor_app_id
    FROM (SELECT 1) AS always LEFT JOIN consumed t ON true LEFT JOIN valid v ON true
    """,
    CodeExchange,
    AuditParameters,
)


async def exchange(db: Db, code: CodeExchange, entry: Entry) -> ConsumedCode:
    """Consumes the code and, if it is valid, starts its token family.

    A code is consumed even if the redirect URI or the challenge does not match, so that nobody can
    try several.
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
        event=entry.members(),
        trace=entry.trace,
    )
    return await one(db, ConsumedCode, EXCHANGE, *code, *event)
