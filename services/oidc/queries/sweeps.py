"""Statements that delete expired rows, with the database role aero2_sweep."""

from __future__ import annotations

from typing import Final

from common.sweeps import Expired

EXPIRED: Final[Expired] = {
    "authorization_codes": """
        -- any-tenant: expired codes, used or not. The token family says which one was used
        DELETE FROM authorization_codes WHERE expires_at < now()
        """,
    "revoked_grants": """
        -- any-tenant: every code that this could refuse has expired
        DELETE FROM revoked_grants WHERE expires_at < now()
        """,
    "authorization_requests": """
        -- any-tenant: expired requests, answered or not
        DELETE FROM authorization_requests WHERE expires_at < now()
        """,
    "token_families": """
        -- any-tenant: all their tokens have expired
        DELETE FROM token_families WHERE absolute_expires_at < now() - interval '2 days'
        """,
    "refresh_tokens": """
        -- any-tenant: an expired token is kept for 30 days, so that its reuse is recognised
        DELETE FROM refresh_tokens WHERE expires_at < now() - interval '30 days'
        """,
    "access_tokens": """
        -- any-tenant: expired opaque tokens
        DELETE FROM access_tokens WHERE expires_at < now()
        """,
    "revoked_tokens": """
        -- any-tenant: the revoked tokens have expired, so nobody accepts them
        DELETE FROM revoked_tokens WHERE expires_at < now() - interval '1 hour'
        """,
    "client_assertion_jtis": """
        -- any-tenant: assertions too old to be replayed
        DELETE FROM client_assertion_jtis WHERE expires_at < now()
        """,
    "dpop_jtis": """
        -- any-tenant: proofs too old to be used again
        DELETE FROM dpop_jtis WHERE expires_at < now()
        """,
    "session_clients": """
        -- any-tenant: sessions that ended long ago, whose clients have been told. A session that was
        -- replaced by a live one has not ended
        DELETE FROM session_clients c WHERE c.expires_at < now() - interval '2 days'
          AND NOT EXISTS (
              WITH RECURSIVE line AS (
                  SELECT c.session_id AS id
                UNION
                  SELECT n.id FROM line l
                  JOIN user_sessions n ON n.app_id = c.app_id AND n.previous_id = l.id
              )
              SELECT FROM line l JOIN user_sessions s ON s.app_id = c.app_id AND s.id = l.id
              WHERE s.expires_at > now() - interval '2 days'
                AND (s.revoked_at IS NULL OR s.revoked_at > now() - interval '2 days'))
        """,
    "device_codes": """
        -- any-tenant: codes that have expired, for a day after that. A device that has signed in is listed
        -- as long as it has tokens
        DELETE FROM device_codes d WHERE d.expires_at < now() - interval '1 day'
          AND (d.used_at IS NULL OR NOT EXISTS (
              SELECT FROM token_families f
              WHERE f.app_id = d.app_id AND f.id = d.family_id AND f.revoked_at IS NULL
                AND f.absolute_expires_at > now()))
        """,
    "used_assertions": """
        -- any-tenant: assertions too old to be replayed
        DELETE FROM used_assertions WHERE expires_at < now()
        """,
    "oauth_client_secrets": """
        -- any-tenant: secrets that expired after a rotation
        DELETE FROM oauth_client_secrets WHERE expires_at < now() - interval '1 day'
        """,
    "client_documents": """
        -- any-tenant: documents that nobody has asked for since they expired
        DELETE FROM client_documents WHERE NOT pinned AND expires_at < now() - interval '1 day'
        """,
    "initial_access_tokens": """
        -- any-tenant: tokens that expired a while ago, so that people still see why a client was refused
        DELETE FROM initial_access_tokens WHERE expires_at < now() - interval '7 days'
        """,
}
