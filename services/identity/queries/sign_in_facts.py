"""The facts of a user that the end of a sign-in reads, with the user's row locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.contracts.sessions import SecondFactor
from common.db import Db, maybe

SECOND_FACTORS_OF_USER: Final = """array_remove(ARRAY[
                   CASE WHEN EXISTS (SELECT FROM totp_factors t WHERE t.app_id = $1
                       AND t.user_id = u.id AND t.confirmed_at IS NOT NULL) THEN 'totp' END,
                   CASE WHEN EXISTS (SELECT FROM passkeys k WHERE k.app_id = $1
                       AND k.user_id = u.id) THEN 'passkey' END,
                   CASE WHEN EXISTS (SELECT FROM recovery_codes r WHERE r.app_id = $1
                       AND r.user_id = u.id AND r.used_at IS NULL) THEN 'recovery_code' END
               ], NULL) AS second_factors"""
"""Of a user `u` of the application `$1`: the names of the second factors that they have enrolled."""

SSO_ORGANIZATIONS_OF_USER: Final = """ARRAY(
                   SELECT o.id FROM organization_members m
                   JOIN organizations o ON o.app_id = m.app_id AND o.id = m.org_id
                   WHERE m.app_id = $1 AND m.user_id = u.id AND o.sso_required
                   UNION SELECT o.id FROM (
                       SELECT split_part(u.email_normalized, '@', 2) COLLATE "default" AS domain OFFSET 0
                   ) a CROSS JOIN LATERAL (
                       SELECT d.org_id FROM organization_domains d WHERE d.app_id = $1
                         AND d.domain = a.domain AND d.verified_at IS NOT NULL OFFSET 0
                   ) v JOIN organizations o ON o.app_id = $1 AND o.id = v.org_id
                   WHERE o.sso_required
               )::text[] AS sso_org_ids"""
"""Of a user `u`: the organizations that require their own provider. They are those that the user is a
member of, and those that have verified the domain of the user's address, verified or not. OFFSET 0: only a
comparison with a value that is known before may use an index ahead of the table's policy."""


@dataclass(frozen=True)
class SignInFacts:
    """`device_id` is the remembered device of this browser, if it may skip the second factor.
    `device_age` is in days. `sso_org_ids` are the organizations that require their own provider of this
    user."""

    disabled: bool
    factor_epoch: int
    second_factors: list[SecondFactor]
    device_id: str | None
    device_age: float | None
    sso_org_ids: list[str]
    passkey_offered: bool = True

    @property
    def offers_passkey(self) -> bool:
        """Whether the user has no passkey and was never offered one."""
        return not self.passkey_offered and "passkey" not in self.second_factors


async def lock(
    db: Db, *, app_id: str, user_id: str, device_hashes: list[str]
) -> SignInFacts | None:
    """Locks the user's row until the transaction ends, and returns what decides about the sign-in.
    A remembered device counts only while the user's factors are those that it was remembered
    with."""
    return await maybe(
        db,
        SignInFacts,
        f"""
        SELECT u.disabled, u.factor_epoch, {SECOND_FACTORS_OF_USER}, device.id AS device_id,
               (extract(epoch FROM now() - device.created_at) / 86400)::float AS device_age,
               u.passkey_offered_at IS NOT NULL AS passkey_offered, {SSO_ORGANIZATIONS_OF_USER}
        FROM users u
        LEFT JOIN LATERAL (
            SELECT d.id, d.created_at FROM trusted_devices d
            WHERE d.app_id = $1 AND d.token_hash = ANY($3::text[])
              AND d.user_id IS NOT DISTINCT FROM u.id -- a bare `=` would be a second way to the row
              AND d.factor_epoch = u.factor_epoch AND d.revoked_at IS NULL AND d.expires_at > now()
            ORDER BY d.created_at DESC LIMIT 1
        ) device ON true
        WHERE u.app_id = $1 AND u.id = $2 FOR NO KEY UPDATE OF u
        """,
        app_id,
        user_id,
        device_hashes,
    )
