"""Every statement is prepared against the real schema: it is valid, allowed, and reads one
partition.

The text rule looks for `app_id`. It does not see a join that forgets the second table's app_id. The
plan shows it, because it scans all partitions of that table.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from tests.architecture.source import COMMON, SERVICES, statements

APP = "01900000-0000-7000-8000-00000000000a"
ONLY_THE_APPLICATION = r"\(app_id = (\$\d+|'[^']*'::uuid)\)"
ALL = {made.where: made for made in statements(SERVICES, COMMON)}


class Planner:
    """Plans statements as the service's generic plans will be, with every uuid the same one."""

    def __init__(self, db: asyncpg.Connection[asyncpg.Record]) -> None:
        self.db = db

    async def plan(self, sql: str) -> dict[str, Any]:
        await self.db.execute(f"PREPARE probe AS {sql}")
        try:
            return await self._planned()
        finally:
            await self.db.execute("DEALLOCATE probe")

    async def _planned(self) -> dict[str, Any]:
        types = await self.db.fetchval(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'probe'"
        )
        values = ", ".join(_value(type_) for type_ in types)
        call = f"EXECUTE probe({values})" if types else "EXECUTE probe"
        (found,) = orjson.loads(await self.db.fetchval(f"EXPLAIN (FORMAT JSON) {call}"))
        plan: dict[str, Any] = found["Plan"]
        return plan


def _value(type_: str) -> str:
    if type_ == "uuid":
        return f"'{APP}'::uuid"
    if type_ == "uuid[]":
        return f"ARRAY['{APP}']::uuid[]"
    return f"NULL::{type_}"


async def connected(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    settings = {"plan_cache_mode": "force_generic_plan", "aero2.app_id": APP}
    return await asyncpg.connect(dsn, statement_cache_size=0, server_settings=settings)


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """Tables that the plan reads or changes rows of."""
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from scans(below)


def partitions(plan: dict[str, Any]) -> dict[str, set[str]]:
    """Partitions scanned, by their table."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in scans(plan):
        table, mark, number = name.rpartition("_p")
        if mark and number.isdigit():
            found[table].add(name)
    return found


@pytest.fixture(scope="module")
async def planner(module_database: dict[str, str]) -> Any:
    """Plans as a superuser, because row level security would add the condition that the statement
    forgot."""
    db = await connected(module_database["owner"])
    yield Planner(db)
    await db.close()


@pytest.mark.parametrize("where", ALL)
async def test_a_statement_stays_in_one_partition(where: str, planner: Planner) -> None:
    """Of each partitioned table it touches the one partition that holds its application."""
    plan = await planner.plan(ALL[where].sql)
    if ALL[where].any_tenant:
        return
    wide = {table: len(found) for table, found in partitions(plan).items() if len(found) > 1}

    assert wide == {}, f"{where}: every joined table needs its own `app_id = …`"


@pytest.mark.parametrize("where", ALL)
async def test_a_statement_is_allowed_to_its_service(
    where: str, module_database: dict[str, str]
) -> None:
    """The service's role, or that of one of its jobs, has the needed grants of db/schema.sql."""
    roles = ALL[where].roles
    refused = []
    for role in roles:
        db = await connected(module_database[role])
        try:
            await Planner(db).plan(ALL[where].sql)
        except asyncpg.InsufficientPrivilegeError as error:
            refused.append(f"{role}: {error}")
        finally:
            await db.close()

    assert len(refused) < len(roles) if ALL[where].any_tenant else refused == [], where


FEW = {
    "roles", "permissions", "role_permissions", "organization_roles",
    "organization_role_permissions", "oauth_clients", "oauth_client_secrets", "resources", "scopes",
    "signing_keys", "data_keys", "mail_templates", "mail_senders", "identity_providers", "audit_checkpoints",
    "identity_provider_documents", "platform_settings", "initial_access_tokens",
}  # fmt: skip
"""Tables that do not grow with an application's users, and may be read whole."""
SHORT = ("idx_session_clients_orphaned",)
"""Partial indexes of waiting rows only."""


def whole(plan: dict[str, Any], table: str = "") -> set[str]:
    """Tables of which the plan knows nothing but the application, and so reads every row of it."""
    table = plan.get("Relation Name", table)  # a bitmap's index stands below its table
    name = table.rpartition("_p")[0]
    found = set()
    lean = name in FEW or plan.get("Index Name", "").startswith(SHORT)
    if name and not lean and re.fullmatch(ONLY_THE_APPLICATION, plan.get("Index Cond", "")):
        found.add(name)
    return found.union(*(whole(below, table) for below in plan.get("Plans", ())))


@pytest.mark.parametrize("where", ALL)
async def test_a_statement_reads_what_it_looks_for(
    where: str, module_database: dict[str, str]
) -> None:
    """Planned on empty tables, as after an installation or for the first application of a partition,
    and then kept: it must not read all users to find one (ADR 4). A page of a list may; a statement that
    really reads all says why: `-- whole: …`."""
    made = ALL[where]
    if made.any_tenant or "-- whole:" in made.sql or "LIMIT $" in made.sql:
        return
    db = await connected(module_database[made.roles[0]])
    try:
        assert whole(await Planner(db).plan(made.sql)) == set(), where
    finally:
        await db.close()


NAMED = re.compile(r"(?<![\w.])(\w+) = (?:ANY )?[(\$a-z]")
"""A column that a condition compares with something."""


OF_ONE = (
    "idx_user_sessions_user", "idx_oauth_client_secrets_client", "idx_api_keys_app",
    "idx_organization_invitations_created", "idx_passkeys_user", "idx_trusted_devices_user",
    "idx_user_identity_links_app_user",
)  # fmt: skip
"""Indexes that lead to a few rows: one user's sessions, one client's secrets, and the like."""


@dataclass(frozen=True)
class Index:
    name: str
    columns: tuple[str, ...]
    unique: bool
    whole: bool
    """Whether it holds every row."""


def looked_up(plan: dict[str, Any], table: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each table that is looked something up in, and the columns that are compared."""
    table = plan.get("Relation Name", table)
    asked = _named(plan, "Index Cond", "Recheck Cond", "Filter")
    if "Index Name" in plan:
        yield table, asked
    for below in plan.get("Plans", ()):
        bitmap = below["Node Type"].startswith("Bitmap")
        for name, columns in looked_up(below, table):
            yield name, asked | columns if bitmap else columns


def _named(plan: dict[str, Any], *conditions: str) -> set[str]:
    texts = [plan.get(condition, "") for condition in conditions]
    return {name for text in texts if " OR " not in text for name in NAMED.findall(text)}


def rivals(plan: dict[str, Any], indexes: dict[str, list[Index]]) -> set[str]:
    """Indexes that could be read although the statement has a whole key of the table."""
    return {
        other.name
        for table, asked in looked_up(plan)
        for found in indexes.get(table, ())
        if found.unique and found.whole and set(found.columns) <= asked
        for other in indexes[table]
        if other.columns[0] in asked - set(found.columns)
        if not other.unique and not other.name.startswith(OF_ONE)
    }


@pytest.fixture(scope="module")
async def indexes(module_database: dict[str, str]) -> dict[str, list[Index]]:
    """By table."""
    db = await asyncpg.connect(module_database["owner"])
    rows = await db.fetch("""
        SELECT i.indrelid::regclass::text AS "table", i.indexrelid::regclass::text AS name,
               i.indisunique AS "unique", i.indpred IS NULL AS whole,
               array_agg(a.attname::text ORDER BY k.place) AS columns
        FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::integer[]) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid::regclass::text !~ '^pg_'
        GROUP BY i.indrelid, i.indexrelid, i.indisunique, i.indpred
    """)
    await db.close()
    found: dict[str, list[Index]] = defaultdict(list)
    for row in rows:
        found[row["table"]].append(
            Index(row["name"], tuple(row["columns"]), row["unique"], row["whole"])
        )
    return found


@pytest.mark.parametrize("where", ALL)
async def test_a_statement_that_names_one_row_has_one_way_to_it(
    where: str, module_database: dict[str, str], indexes: dict[str, list[Index]]
) -> None:
    """With an index by client beside its key, the statement that redeems a code may be planned by
    it while there are few rows; the plan stays, and each code then reads every code of the client.
    Which one is taken depends on what the table held at that moment: so there is no other."""
    made = ALL[where]
    if made.any_tenant:
        return
    db = await connected(module_database[made.roles[0]])
    try:
        assert rivals(await Planner(db).plan(made.sql), indexes) == set(), where
    finally:
        await db.close()


COMPARED = re.compile(r"\b(\w+)\)? (?:=|<=|>=|<|>) (?:ANY )?\(?(?:COALESCE\()?\$\d+")
ROW_COMPARED = re.compile(r"ROW\((\w[^$]*)\) [<>]=? ROW\(\$\d+")


A_FEW = (
    *OF_ONE,
    *SHORT,
    "idx_audit_logs_app_user",
    "idx_audit_logs_app_ip",
    "organization_invitations_pending_key",
)
"""Indexes that lead to one person's or one address's rows, or to what is pending: a filter on those
is no harm."""


def filtered(plan: dict[str, Any], indexes: dict[str, list[Index]], table: str = "") -> set[str]:
    """Key columns of growing tables that a parameter is compared with as a filter only: the rows
    that the condition refuses are read, however many they are. What one key or one person's index
    leads to is a handful."""
    table = plan.get("Relation Name", table)
    name = table.rpartition("_p")[0]
    found: set[str] = set()
    if name and name not in FEW and not _handful(plan, indexes.get(table, ())):
        text = plan.get("Filter", "")
        columns = set(COMPARED.findall(text))
        columns.update(*(re.findall(r"\w+", row) for row in ROW_COMPARED.findall(text)))
        columns -= set(re.findall(r"\w+", plan.get("Index Cond", "")))
        keys = {column for index in indexes.get(table, ()) for column in index.columns}
        found.update(f"{name}.{column}" for column in (columns & keys) - {"app_id"})
    return found.union(*(filtered(below, indexes, table) for below in plan.get("Plans", ())))


def _handful(plan: dict[str, Any], of_table: Collection[Index]) -> bool:
    """Whether the scan finds a row by a whole key, or a few by an index that gives a few."""
    parts = [plan, *plan.get("Plans", ())] if plan["Node Type"].startswith("Bitmap") else [plan]
    if any(part.get("Index Name", "").startswith(A_FEW) for part in parts):
        return True
    exact = {
        column for part in parts for column in re.findall(r"\b(\w+) = ", part.get("Index Cond", ""))
    }
    return any(index.unique and set(index.columns) <= exact for index in of_table)


@pytest.mark.parametrize("where", ALL)
async def test_a_parameter_leads_to_its_rows(
    where: str, module_database: dict[str, str], indexes: dict[str, list[Index]]
) -> None:
    """`coalesce($2, …)`, `$2 IS NULL OR …` and LIKE around an indexed column are filters: the page
    is right, and reads every row before it. Bind the end of the range instead (common.keyset)."""
    made = ALL[where]
    if made.any_tenant or "-- whole:" in made.sql or "-- by-upkeep:" in made.sql:
        return
    db = await connected(module_database[made.roles[0]])
    try:
        assert filtered(await Planner(db).plan(made.sql), indexes) == set(), where
    finally:
        await db.close()


async def test_the_rule_finds_a_filter_on_a_key(
    module_database: dict[str, str], indexes: dict[str, list[Index]]
) -> None:
    """A range that is optional in SQL, a keyset that is, and a look-up by a whole key beside it."""
    db = await connected(module_database["identity"])
    optional = "($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))"
    try:
        page, span, bare, key = [
            filtered(
                await Planner(db).plan(f"SELECT id FROM users WHERE app_id = $1 AND {more}"),
                indexes,
            )
            for more in (
                f"{optional} ORDER BY created_at DESC, id DESC LIMIT 10",
                "created_at >= coalesce($2, '-infinity'::timestamptz) ORDER BY created_at, id LIMIT 10",
                "(created_at, id) < ($2::timestamptz, $3::uuid) ORDER BY created_at DESC, id DESC LIMIT 10",
                "id = $2 AND ($3::timestamptz IS NULL OR created_at > $3)",
            )
        ]
    finally:
        await db.close()

    assert page == {"users.created_at", "users.id"}
    assert span == {"users.created_at"}
    assert bare == key == set()


async def test_the_rule_finds_a_look_up_without_its_index(module_database: dict[str, str]) -> None:
    """No index begins with a user's name; and a join that compares what no index knows."""
    db = await connected(module_database["identity"])
    try:
        named = await Planner(db).plan("SELECT id FROM users WHERE app_id = $1 AND name = $2")
        joined = await Planner(db).plan("""
            SELECT s.id FROM users u JOIN user_sessions s ON s.app_id = $1 AND s.place = u.name
            WHERE u.app_id = $1 AND u.id = $2
        """)
    finally:
        await db.close()

    assert whole(named) == {"users"}
    assert whole(joined) == {"user_sessions"}


async def test_the_rule_finds_a_join_that_forgot_its_application(planner: Planner) -> None:
    """Without `rp.app_id = ur.app_id` the plan reads role_permissions in every partition."""
    joined = """
        SELECT rp.permission_id FROM user_roles ur
        JOIN role_permissions rp ON rp.role_id = ur.role_id
        WHERE ur.app_id = $1 AND ur.user_id = $2
        """
    found = partitions(await planner.plan(joined))
    assert len(found["user_roles"]) == 1
    assert len(found["role_permissions"]) == 16

    right = joined.replace("rp.role_id =", "rp.app_id = ur.app_id AND rp.role_id =")
    found = partitions(await planner.plan(right))
    assert {table: len(of) for table, of in found.items()} == {
        "user_roles": 1,
        "role_permissions": 1,
    }


async def test_the_rule_finds_an_update_without_application(planner: Planner) -> None:
    """A change by id alone would read every partition."""
    found = partitions(await planner.plan("UPDATE users SET name = $2 WHERE id = $1"))

    assert len(found["users"]) == 16


async def test_the_rule_finds_a_missing_grant(module_database: dict[str, str]) -> None:
    """EXPLAIN checks rights as execution does."""
    db = await connected(module_database["rbac"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await Planner(db).plan("SELECT user_id FROM passwords WHERE app_id = $1")
    finally:
        await db.close()


async def test_the_rule_finds_a_second_way(
    module_database: dict[str, str], indexes: dict[str, list[Index]]
) -> None:
    """A grant has an index by user, too."""
    db = await connected(module_database["oidc"])
    both, key = [
        await Planner(db).plan(f"SELECT 1 FROM token_families WHERE app_id = $1 AND {more}")
        for more in ("user_id = $2 AND id = ANY ($3)", "id = $2")
    ]
    await db.close()

    assert {name.rpartition("_p")[0] for name in rivals(both, indexes)} == {
        "idx_token_families_user"
    }
    assert rivals(key, indexes) == set()
