"""Which tables have rows of one application, in which order they refer to each other, and what goes along
when the application leaves its database: by `aero2 apps move` or by `aero2 apps export`.

The catalogue of Postgres says which tables and columns there are. Whether their rows go along, this file
says. tests/architecture/test_app_tables.py holds that every table of db/schema.sql is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aero2.migration_steps import Connection


@dataclass(frozen=True)
class Carriage:
    """Whether the rows of a table go along. `moved`: to another cluster of the deployment, by logical
    replication, in which no trigger fires. `exported`: to another deployment. `why_not` has the reason
    where one of them is false."""

    moved: bool = True
    exported: bool = True
    why_not: str = ""


CARRIED: Final = Carriage()
DERIVED: Final = Carriage(
    exported=False, why_not="triggers on the rows that it is made of write it at an import"
)
REGISTRY: Final = Carriage(
    moved=False, why_not="the registry stays on `main`, wherever an application lives"
)
AT_WORK: Final = Carriage(
    exported=False, why_not="an export waits until none is under way; their results stay a week"
)


def _left(why: str) -> Carriage:
    return Carriage(moved=False, exported=False, why_not=why)


TABLES: Final[Mapping[str, Carriage]] = {
    "applications": REGISTRY,
    "application_api_keys": REGISTRY,
    "custom_domains": REGISTRY,
    "application_words": Carriage(
        moved=False, exported=False, why_not="a trigger on applications writes it, on each cluster"
    ),
    "imported_keys": Carriage(
        moved=False, exported=False, why_not="an export has its content, sealed for its target"
    ),
    "application_moves": _left("notes of `aero2 apps move` itself, on `main`"),
    "application_fences": _left("notes of `aero2 apps move` itself, in each cluster"),
    "platform_settings": _left("a row of the Dashboard, which never leaves"),
    # Users, and how they prove who they are.
    "users": CARRIED,
    "user_words": DERIVED,
    "passwords": CARRIED,
    "passkeys": CARRIED,
    "totp_factors": CARRIED,
    "recovery_codes": CARRIED,
    "known_devices": CARRIED,
    "trusted_devices": CARRIED,
    "user_sessions": CARRIED,
    "user_invitations": CARRIED,
    "sign_in_guards": Carriage(
        exported=False, why_not="the key that recognizes addresses stays in its deployment"
    ),
    "user_batches": AT_WORK,
    "user_batch_parts": AT_WORK,
    "support_views": Carriage(
        exported=False, why_not="names an operator of this deployment, for a few minutes"
    ),
    # Steps of what people are doing now: a sign-in goes on, and nothing is used twice.
    "email_verification_codes": CARRIED,
    "webauthn_challenges": CARRIED,
    "oauth_state": CARRIED,
    "link_proofs": CARRIED,
    "authorization_requests": CARRIED,
    "device_codes": CARRIED,
    "client_assertion_jtis": CARRIED,
    "used_assertions": CARRIED,
    # Roles and organizations.
    "roles": CARRIED,
    "permissions": CARRIED,
    "role_permissions": CARRIED,
    "organization_roles": CARRIED,
    "organization_role_permissions": CARRIED,
    "organizations": CARRIED,
    "organization_words": DERIVED,
    "organization_members": CARRIED,
    "organization_invitations": CARRIED,
    "organization_domains": CARRIED,
    "user_roles": CARRIED,
    # Settings of the application.
    "identity_providers": CARRIED,
    "identity_provider_documents": CARRIED,
    "user_identity_links": CARRIED,
    "mail_templates": CARRIED,
    "mail_senders": CARRIED,
    "resources": CARRIED,
    "scopes": CARRIED,
    "oauth_clients": CARRIED,
    "oauth_client_secrets": CARRIED,
    "client_documents": CARRIED,
    "initial_access_tokens": CARRIED,
    "token_exchange_policies": CARRIED,
    "consents": CARRIED,
    # Tokens and keys.
    "token_families": CARRIED,
    "refresh_tokens": CARRIED,
    "access_tokens": CARRIED,
    "revoked_tokens": CARRIED,
    "authorization_codes": CARRIED,
    "revoked_grants": CARRIED,
    "session_clients": CARRIED,
    "signing_keys": CARRIED,
    "data_keys": CARRIED,
    # Records and figures.
    "audit_logs": CARRIED,
    "audit_chain": CARRIED,
    "audit_checkpoints": CARRIED,
    "audit_counts": CARRIED,
    "usage_counts": CARRIED,
    "active_user_counts": CARRIED,
    "active_users": CARRIED,
    "logout_deliveries": Carriage(
        exported=False, why_not="the deployment in which somebody signed out tells the clients"
    ),
    # Queues: each is emptied by the cluster in which it was written (docs/adr/0032).
    "audit_outbox": _left("the relay of the cluster in which an event was written sends it"),
    "audit_transfers": _left("the relay of the cluster in which an event was written carries it"),
    "mail_outbox": _left("the mailer of the cluster in which a mail was written sends it"),
    "rate_limits": _left("UNLOGGED counters of the last minutes, which a crash forgets, too"),
    "dpop_jtis": _left("UNLOGGED proofs of the last minutes, which a crash forgets, too"),
}
"""Every table with rows of an application. A table without an entry stops the build."""

OF_THE_DEPLOYMENT: Final = frozenset({"clusters", "deleted_slugs", "master_keys"})
"""Tables without rows of an application."""


@dataclass(frozen=True)
class Column:
    """A column that a statement may write. `type` is Postgres' own text, like `text[]`."""

    name: str
    type: str
    not_null: bool


@dataclass(frozen=True)
class AppTable:
    """A table with rows of an application, as the catalogue has it."""

    name: str
    app_column: str
    """`app_id`; of applications `id`."""
    columns: tuple[Column, ...]
    """In the order of the table, without generated ones."""
    generated: tuple[str, ...]
    """Columns that Postgres computes (GENERATED ALWAYS, also as identity)."""
    key: tuple[str, ...]
    """The columns of the primary key."""
    partitioned: bool
    refers_to: frozenset[str]
    """Tables that its foreign keys name, without itself."""

    @property
    def carriage(self) -> Carriage:
        """Whether its rows go along. Raises KeyError for a table that nobody has classified."""
        return TABLES[self.name]


async def app_tables(db: Connection) -> list[AppTable]:
    """Returns every table with rows of an application, after all tables that its foreign keys name."""
    tables = [
        AppTable(
            row["name"],
            "id" if row["name"] == "applications" else "app_id",
            tuple(
                Column(name, type, not_null)
                for name, type, not_null, generated in row["columns"]
                if not generated
            ),
            tuple(name for name, _, _, generated in row["columns"] if generated),
            tuple(row["key"]),
            row["partitioned"],
            frozenset(row["refers_to"]),
        )
        for row in await db.fetch(CATALOGUE)
    ]
    return in_foreign_key_order(tables)


def in_foreign_key_order(tables: Sequence[AppTable]) -> list[AppTable]:
    """Returns the tables so that each comes after those that it refers to, by name where that is open.
    Raises ValueError for a circle. That applications name the team that owns them, in the Dashboard, does
    not count."""
    names = {table.name for table in tables}
    left = {
        table.name: set() if table.name == "applications" else table.refers_to & names
        for table in tables
    }
    by_name = {table.name: table for table in tables}
    ordered: list[AppTable] = []
    while left:
        free = sorted(name for name, others in left.items() if not others & left.keys())
        if not free:
            raise ValueError(f"these tables refer to each other in a circle: {sorted(left)}")
        ordered += [by_name[name] for name in free]
        for name in free:
            del left[name]
    return ordered


CATALOGUE: Final = """
    SELECT c.relname::text AS name, c.relkind = 'p' AS partitioned,
        ARRAY(
            SELECT (a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    a.attgenerated <> '' OR a.attidentity = 'a')
            FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        ) AS columns,
        ARRAY(
            SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY AS n (attnum, place)
            JOIN pg_attribute a ON a.attnum = n.attnum
            WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid ORDER BY n.place
        ) AS key,
        ARRAY(
            SELECT DISTINCT f.relname::text FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid AND NOT f.relispartition
        ) AS refers_to
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (c.relname = 'applications' OR EXISTS (
          SELECT FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attname = 'app_id' AND NOT a.attisdropped))
    ORDER BY c.relname
"""
