"""Conditions that several statements share. `$1` is the application in each of them."""

from __future__ import annotations

from typing import Final

LIVE_SESSION: Final = """
    s.kind = 'full' AND s.revoked_at IS NULL AND s.expires_at > now()
    AND (s.idle_expires_at IS NULL OR s.idle_expires_at > now())"""
"""The session `s` is no half session, and neither revoked, nor expired, nor idle for too long."""

LIVE_FAMILY_SESSION: Final = f"""
    (f.offline OR EXISTS (
        SELECT FROM user_sessions s
        WHERE s.app_id = $1 AND s.id = f.session_id AND {LIVE_SESSION}))"""
"""The token family `f` is offline, or its session is live."""

UNUSED_REFRESH_TOKEN: Final = """
    r.used_at IS NULL AND r.expires_at > now() AND r.absolute_expires_at > now()"""
"""The refresh token `r` was neither used nor has it expired."""

USER_OF_EPOCH: Final = """
    NOT u.disabled AND u.epoch ="""
"""The user `u` is enabled, and nothing has ended their grants of the epoch that follows."""

_LIVE_FAMILY_AND_USER: Final = f"""
    f.app_id = $1 AND f.id = r.family_id AND f.revoked_at IS NULL AND f.client_epoch = $4
    AND u.app_id = $1 AND u.id = r.user_id AND {USER_OF_EPOCH} r.user_epoch"""

LIVE_REFRESH_GRANT: Final = f"{_LIVE_FAMILY_AND_USER} AND {LIVE_FAMILY_SESSION}"
"""The family `f` and the user `u` of the refresh token `r` are live. `$4` is the client's epoch."""

LIVE_OFFLINE_GRANT: Final = f"{_LIVE_FAMILY_AND_USER} AND f.offline"
"""The same for a family that is offline. A table that is not named costs nothing."""

SSO_OF_GRANT: Final = """
    NOT EXISTS (
        SELECT FROM organizations o
        WHERE o.app_id = $1 AND o.id = m.org_id AND o.sso_required AND NOT EXISTS (
            SELECT FROM user_sessions q
            WHERE q.app_id = $1 AND q.id = t.session_id AND q.idp_org_id = m.org_id))"""
"""The organization of the member `m` does not require its own provider, or that provider started the
session of the grant `t`, which may have ended."""

SECOND_FACTORS_OF_USER: Final = """array_remove(ARRAY[
               CASE WHEN EXISTS (SELECT FROM totp_factors t WHERE t.app_id = $1
                   AND t.user_id = u.id AND t.confirmed_at IS NOT NULL) THEN 'totp' END,
               CASE WHEN EXISTS (SELECT FROM passkeys k WHERE k.app_id = $1
                   AND k.user_id = u.id) THEN 'passkey' END], NULL) AS second_factors"""
"""The second factors that the user `u` has enrolled. Recovery codes only stand in for them."""
