"""The check of `aero2 doctor` that row level security binds all tables and roles."""

from __future__ import annotations

from aero2.doctor_findings import Finding, failure, ok
from aero2.doctor_target import Connection, Target


async def check_row_level_security(target: Target, db: Connection) -> list[Finding]:
    """Every table of applications must be under row level security, which binds its owner, too. No role
    of a service may bypass it, or read a partition by its own name, where there are no policies."""
    findings: list[Finding] = []
    for row in await db.fetch(
        """
        SELECT c.relname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.attname = 'app_id' AND NOT a.attisdropped
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        ORDER BY c.relname LIMIT 10
        """
    ):
        findings += failure(
            "row_level_security",
            f"Row level security is off on {row['relname']}.",
            f"ALTER TABLE {row['relname']} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY.",
        )
    for row in await db.fetch(
        """
        SELECT rolname FROM pg_catalog.pg_roles
        WHERE rolname LIKE 'aero2\\_%' AND (rolsuper OR rolbypassrls) ORDER BY rolname
        """
    ):
        findings += failure(
            "row_level_security",
            f"The role {row['rolname']} bypasses row level security.",
            f"ALTER ROLE {row['rolname']} NOSUPERUSER NOBYPASSRLS.",
        )
    for row in await db.fetch(
        """
        SELECT DISTINCT c.relname, r.rolname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) a
        JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE n.nspname = 'public' AND c.relispartition AND c.relkind IN ('r', 'p')
          AND a.grantee <> c.relowner AND r.rolname LIKE 'aero2\\_%'
        ORDER BY 1, 2 LIMIT 10
        """
    ):
        findings += failure(
            "row_level_security",
            f"The role {row['rolname']} may use the partition {row['relname']} without its policies.",
            f"REVOKE ALL ON {row['relname']} FROM {row['rolname']}.",
        )
    return findings or ok("row_level_security", "Row level security binds every table and role.")
