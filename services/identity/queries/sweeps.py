"""Statements that delete what has expired, as aero2_sweep."""

from __future__ import annotations

from typing import Final

from common.sweeps import Expired

EXPIRED: Final[Expired] = {
    "email_verification_codes": """
        -- any-tenant: a day after a code or link has expired
        DELETE FROM email_verification_codes WHERE (app_id, id) IN (
            SELECT app_id, id FROM email_verification_codes
            WHERE expires_at < now() - interval '1 day' LIMIT 1000
        )
        """,
    "user_sessions": """
        -- any-tenant: a month after a session has ended; until then its events can be traced. One that
        -- another has replaced stays as long as that one: the way back to its clients leads through it
        DELETE FROM user_sessions WHERE (app_id, id) IN (
            SELECT app_id, id FROM user_sessions o
            WHERE (expires_at < now() - interval '30 days' OR revoked_at < now() - interval '30 days')
              AND NOT EXISTS (SELECT FROM user_sessions n
                              WHERE n.app_id = o.app_id AND n.previous_id = o.id)
            LIMIT 1000
        )
        """,
    "support_views": """
        -- any-tenant: a support view that has ended
        DELETE FROM support_views WHERE expires_at < now()
        """,
    "known_devices": """
        -- any-tenant: a year after the last sign-in the browser's cookie is gone too
        DELETE FROM known_devices WHERE last_seen_at < now() - interval '365 days'
        """,
    "trusted_devices": """
        -- any-tenant: a device that is not trusted any more
        DELETE FROM trusted_devices WHERE (app_id, id) IN (
            SELECT app_id, id FROM trusted_devices
            WHERE expires_at < now() - interval '1 day'
               OR revoked_at < now() - interval '1 day' LIMIT 1000
        )
        """,
    "user_invitations": """
        -- any-tenant: three months after an invitation has expired
        DELETE FROM user_invitations WHERE (app_id, id) IN (
            SELECT app_id, id FROM user_invitations
            WHERE expires_at < now() - interval '90 days' LIMIT 1000
        )
        """,
    "user_batches": """
        -- any-tenant: a week after a batch was started; its parts go with it
        DELETE FROM user_batches WHERE (app_id, id) IN (
            SELECT app_id, id FROM user_batches WHERE expires_at < now() LIMIT 100
        )
        """,
    "sign_in_guards": """
        -- any-tenant: wrong passwords that lie long back; rows are small and few
        DELETE FROM sign_in_guards WHERE expires_at < now()
        """,
    "rate_limits": """
        -- any-tenant: windows that have ended; rows are small and few
        DELETE FROM rate_limits WHERE expires_at < now() - interval '1 minute'
        """,
    "oauth_state": """
        -- any-tenant: sign-ins with a provider. Anybody can start one, so they are deleted in parts. For
        -- a day the log still says why a late response is refused
        DELETE FROM oauth_state WHERE (app_id, state_hash) IN (
            SELECT app_id, state_hash FROM oauth_state
            WHERE expires_at < now() - interval '1 day' LIMIT 1000
        )
        """,
    "link_proofs": """
        -- any-tenant: accounts at a provider that wait for no proof any more
        DELETE FROM link_proofs WHERE (app_id, id) IN (
            SELECT app_id, id FROM link_proofs WHERE expires_at < now() LIMIT 1000
        )
        """,
    "webauthn_challenges": """
        -- any-tenant: passkey ceremonies. Each sign-in page starts one, so they are deleted in parts
        DELETE FROM webauthn_challenges WHERE (app_id, challenge_hash) IN (
            SELECT app_id, challenge_hash FROM webauthn_challenges WHERE expires_at < now() LIMIT 1000
        )
        """,
    "totp_factors": """
        -- any-tenant: secrets of authenticator apps that nobody has confirmed within their hour
        DELETE FROM totp_factors WHERE (app_id, id) IN (
            SELECT app_id, id FROM totp_factors
            WHERE confirmed_at IS NULL AND created_at < now() - interval '1 day' LIMIT 1000
        )
        """,
    "mail_outbox": """
        -- any-tenant: mails that could not be delivered are kept for a month
        DELETE FROM mail_outbox WHERE seq IN (
            SELECT seq FROM mail_outbox WHERE failed_at < now() - interval '30 days' LIMIT 1000
        )
        """,
}
