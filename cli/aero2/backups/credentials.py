"""Ends what was issued before a restore (docs/adr/0030).

Nobody can know what was issued, used or revoked between a backup and its restore. A session that its
user has ended meanwhile would be alive again. So everything ends that stands for a person who has
proven who they are: sessions, codes, links, and tokens of every kind.

It costs nothing afterwards: no check compares a time or a number for it. Tables of credentials are
emptied. Tokens that no table holds name the epoch of their client, which every check compares anyway.
The new epoch is the present second, so that it was never used before: not by a former restore of the
same backup, either.

A table is in one of the three groups below. tests/architecture/test_restored_tables.py holds it.
"""

from __future__ import annotations

from typing import Final

from aero2.migrate import UNFINISHED_RESTORE
from aero2.migration_steps import Connection

EMPTIED: Final = frozenset(
    {
        "access_tokens",
        "authorization_codes",
        "authorization_requests",
        "device_codes",
        "email_verification_codes",
        "initial_access_tokens",
        "link_proofs",
        "oauth_state",
        "refresh_tokens",
        "support_views",
        "token_families",
        "trusted_devices",
        "user_sessions",
        "webauthn_challenges",
    }
)
"""Each row is a credential, or a step on the way to one."""

CHANGED: Final = {
    # Codes, refresh tokens and access tokens name it, also those that no table holds.
    # Seconds since 2020 fit the column until 2088. A client that registered itself can register again.
    "oauth_clients": """
        UPDATE oauth_clients SET registration_token_hash = NULL, epoch = greatest(
            epoch + 1, extract(epoch FROM now() - timestamptz '2020-01-01 00:00:00+00')::integer)
    """,
    # The invitations stay, and can be sent again. Their old links are dead.
    "user_invitations": """
        UPDATE user_invitations SET token_hash = 'restored.' || gen_random_uuid()
        WHERE accepted_at IS NULL AND revoked_at IS NULL
    """,
    "organization_invitations": """
        UPDATE organization_invitations SET token_hash = 'restored.' || gen_random_uuid()
        WHERE status = 'pending'
    """,
    # A code that was used after the backup is not accepted once more (RFC 6238 section 5.2).
    "totp_factors": """
        UPDATE totp_factors
        SET last_step = greatest(last_step, floor(extract(epoch FROM now()) / 30)::bigint + 1)
    """,
    # Almost all of them were sent after the backup, and the codes and links in them are dead.
    "mail_outbox": """
        UPDATE mail_outbox SET failed_at = now(), last_error = 'restored from a backup'
        WHERE failed_at IS NULL
    """,
}
"""Rows that stay, and what ends with them."""

ENDED_KEYS: Final = {
    "application_api_keys": """
        UPDATE application_api_keys SET revoked_at = now()
        WHERE key_type = 'secret' AND revoked_at IS NULL
    """,
    "oauth_client_secrets": "DELETE FROM oauth_client_secrets",
}
"""Credentials of programs. They end with `--end-keys` only: each of them is set up somewhere."""

KEPT: Final = frozenset(
    {
        # Users, applications, and their rights.
        *(
            "applications",
            "clusters",
            "platform_settings",
            "deleted_slugs",
            "custom_domains",
            "users",
        ),
        *("user_words", "organizations", "organization_words", "application_words"),
        *("organization_members", "organization_domains", "roles", "permissions"),
        *("role_permissions", "organization_roles", "organization_role_permissions", "user_roles"),
        *("identity_providers", "identity_provider_documents", "user_identity_links"),
        *("client_documents",),
        *("mail_templates", "mail_senders", "resources", "scopes", "consents"),
        # Credentials that people keep. They would otherwise be locked out.
        *("passwords", "passkeys", "recovery_codes"),
        # Refuses something, or only informs.
        *("sign_in_guards", "known_devices", "rate_limits", "revoked_grants", "revoked_tokens"),
        *("client_assertion_jtis", "session_clients", "logout_deliveries"),
        "dpop_jtis",
        *("used_assertions", "token_exchange_policies"),
        # Keys: old tokens can be verified elsewhere until they expire.
        *("signing_keys", "data_keys", "master_keys", "imported_keys"),
        # Work and records.
        *("user_batches", "user_batch_parts", "audit_logs", "audit_counts", "usage_counts"),
        *("active_user_counts", "active_users", "audit_chain", "audit_checkpoints"),
        *("audit_outbox", "audit_transfers", "schema_migrations", UNFINISHED_RESTORE),
        *("application_moves", "application_fences"),
    }
)
"""Tables that a restore leaves as they are."""

SEALED_TOKENS: Final = {"authorization code": "names the epoch of its client"}
"""The purposes of tokens that no table holds, and why each ends with a restore."""


async def end_credentials(db: Connection, *, end_keys: bool = False) -> dict[str, int]:
    """Ends everything in one transaction. Returns how many rows of each table ended."""
    ended: dict[str, int] = {}
    async with db.transaction():
        present = await _tables(db)
        emptied = sorted(EMPTIED & present)
        for table in emptied:
            ended[table] = await db.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        await db.execute(f"TRUNCATE {', '.join(emptied)}")
        statements = CHANGED | (ENDED_KEYS if end_keys else {})
        for table, statement in statements.items():
            if table in present:
                ended[table] = int((await db.execute(statement)).split()[-1])
    return ended


async def _tables(db: Connection) -> set[str]:
    """Returns the tables of this database: a backup of an older version may lack some."""
    rows = await db.fetch("""
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    """)
    return {row["relname"] for row in rows}
