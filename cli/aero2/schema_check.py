"""Finds what was changed by hand in a database, or lost in a copy of one, so that it does not keep
applications apart any more.

`aero2 migrate` and `aero2 up` look at it after each run, and `aero2 doctor` when it is asked. It reads the
catalogue, in one statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aero2.migration_steps import Connection

FAULTS: Final = """
    WITH ours AS (  -- tables whose rows belong to applications, and the registries that find those
        SELECT c.oid, c.relname, c.relkind, c.relispartition, c.relowner, c.relacl,
               c.relrowsecurity AND c.relforcerowsecurity AS forced
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND (c.relrowsecurity
               OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
               OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attname = 'app_id' AND NOT a.attisdropped))
    )
    SELECT format('row level security is not forced on %s', relname) AS sentence,
           format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relname) AS repair
    FROM ours WHERE NOT forced AND NOT relispartition
    UNION ALL
    SELECT format('the policy %s of %s lets every role see the rows of all applications', p.polname, relname),
           format('DROP POLICY %I ON %I', p.polname, relname)
    FROM ours JOIN pg_catalog.pg_policy p ON p.polrelid = ours.oid
    WHERE p.polpermissive AND 0 = ANY (p.polroles)
      AND coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), '')
          NOT LIKE '%aero2.app_id%'
    UNION ALL
    SELECT DISTINCT format('%s has a privilege on the partition %s, past the policies of its table',
               CASE WHEN a.grantee = 0 THEN 'every role' ELSE a.grantee::regrole::text END, relname),
           format('REVOKE ALL ON %I FROM %s', relname,
               CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM ours, aclexplode(relacl) a WHERE relispartition AND a.grantee <> relowner
    UNION ALL
    SELECT format('%s has %s partitions instead of 16', relname, count(i.inhrelid)),
           'attach the partition again if it is still there, or restore the database from a backup'
    FROM ours LEFT JOIN pg_catalog.pg_inherits i ON i.inhparent = ours.oid AND NOT i.inhdetachpending
    WHERE relkind = 'p' GROUP BY relname HAVING count(i.inhrelid) <> 16
    UNION ALL
    SELECT format('the role %s is not bound by row level security', rolname),
           format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS', rolname)
    FROM pg_catalog.pg_roles
    WHERE rolname LIKE 'aero2\\_%' AND rolname <> 'aero2_owner' AND (rolsuper OR rolbypassrls)
    ORDER BY 1
"""


@dataclass(frozen=True)
class Fault:
    """What is wrong, as a clause of a sentence, and what repairs it: a statement of SQL, or a clause."""

    sentence: str
    repair: str


async def faults(db: Connection) -> list[Fault]:
    """Returns what is wrong with the schema; nothing for a whole one."""
    return [Fault(row["sentence"], row["repair"]) for row in await db.fetch(FAULTS)]
