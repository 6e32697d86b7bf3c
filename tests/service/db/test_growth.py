"""A page costs the same at any position and for any number of rows.

The cost is counted in buffers that Postgres reads, with the plan that services keep: made for all
parameters while the tables were empty.
"""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from tests.service.db.kept_plans import buffers, statement

from common.keyset import HIGHEST_ID, LOWEST_ID
from identity.queries.user_lists import STRETCH

SMALL = "018f0000-0000-7000-8000-00000000000a"
LARGE = "018f0000-0000-7000-8000-00000000000b"
MANY = 20_000
START = datetime(2026, 1, 1, tzinfo=UTC)
FAR = START + timedelta(minutes=3)
"""The row in the middle of the small application, and one far from both ends of the large one."""
DEEP = START + timedelta(minutes=MANY // 2)
FIRST = ("infinity", HIGHEST_ID)
ORGANIZATION = "018f0000-0000-7000-8000-00000000000c"

MIDDLE_ID = "7" * 8 + LOWEST_ID[8:]
MATCHING = "WHERE found.is_first AND"
ANNA = ("anna", LOWEST_ID, "anna", STRETCH)
ALL: tuple[object, ...] = ([], None, None)
"""The further words and filters of a search without any."""

# Ids of organizations are scattered, but the same each time: how many of them a search by two words looks
# at depends on their order.
FILL = """
    INSERT INTO applications (id, slug, name) VALUES ($1::uuid, $3, 'A');
    INSERT INTO users (app_id, id, email, email_normalized, name, created_at, email_verified, disabled)
        SELECT $1, gen_random_uuid(), i || '.user@example.com', i || '.user@example.com', 'Anna N' || i,
               $4::timestamptz + i * interval '1 minute', i % 200 <> 0, i % 200 = 0
        FROM generate_series(1, $2) i;
    INSERT INTO roles (app_id, id, name) VALUES ($1, 'user', 'User');
    INSERT INTO user_roles (app_id, user_id, role_id, granted_at)
        SELECT app_id, id, 'user', created_at FROM users WHERE app_id = $1;
    INSERT INTO organizations (app_id, id, slug, name) VALUES ($1, $5::uuid, 'org', 'Org');
    INSERT INTO organization_roles (app_id, id, name) VALUES ($1, 'member', 'Member');
    INSERT INTO organization_members (app_id, org_id, user_id, role_id, created_at)
        SELECT app_id, $5, id, 'member', created_at FROM users WHERE app_id = $1;
    INSERT INTO organizations (app_id, id, slug, name)
        SELECT $1, md5('team-' || i)::uuid, 'team-' || i,
               CASE WHEN i % 3 = 0 THEN 'Rare ' ELSE 'Team ' END || i FROM generate_series(1, $2) i;
    INSERT INTO audit_logs (app_id, id, event_type, event_data, ip_address, created_at)
        SELECT $1, gen_random_uuid(), CASE WHEN i % 200 = 0 THEN 'rare' ELSE 'login' END, '{}',
               CASE WHEN i % 200 = 0 THEN '192.0.2.1' ELSE '192.0.2.2' END,
               $4::timestamptz + i * interval '1 minute'
        FROM generate_series(1, $2) i;
    INSERT INTO audit_chain (app_id, seq, event_id, previous_hash, hash)
        SELECT $1, row_number() OVER (ORDER BY created_at), id, 'x', 'x'
        FROM audit_logs WHERE app_id = $1;
    INSERT INTO oauth_clients (app_id, id, client_id, name) VALUES ($1, $5, 'client', 'C');
    INSERT INTO consents (app_id, user_id, client_id, scopes, created_at)
        SELECT app_id, id, 'client', '{}', created_at FROM users WHERE app_id = $1;
    INSERT INTO token_families (app_id, id, client_id, user_id, absolute_expires_at)
        SELECT app_id, id, 'client', id, now() FROM users WHERE app_id = $1;
"""

PAGES = {
    "users": ("identity", "user_lists.py", "OR disabled = $4)\n          AND ($5", (*FIRST, None, None, 51), (DEEP, LOWEST_ID, None, None, 51)),
    "disabled users": ("identity", "user_lists.py", "AND disabled AND", (*FIRST, None, 51), (DEEP, LOWEST_ID, None, 51)),
    "unverified users": ("identity", "user_lists.py", "AND NOT email_verified", (*FIRST, None, 51), (DEEP, LOWEST_ID, None, 51)),
    "search of a name": ("identity", "user_lists.py", MATCHING, (*ANNA, *ALL, 51), ("anna", MIDDLE_ID, "anna", STRETCH, *ALL, 51)),
    "search of a domain": ("identity", "user_lists.py", MATCHING, ("example.com", LOWEST_ID, "example", STRETCH, *ALL, 51), ("example.com", MIDDLE_ID, "example", STRETCH, *ALL, 51)),
    "search of two words": ("identity", "user_lists.py", MATCHING, (*ANNA, ["user"], None, None, 51), ("anna", MIDDLE_ID, "anna", STRETCH, ["user"], None, None, 51)),
    "the rarest word": ("identity", "user_lists.py", "count(*) AS seen FROM user_words_from(", (["anna", "user"], LOWEST_ID, STRETCH), (["anna", "n77"], LOWEST_ID, STRETCH)),
    "count of a search": ("identity", "user_counts.py", "count(*) AS seen, count(*) AS matching", ("anna", LOWEST_ID, "anna", 201), ("user", LOWEST_ID, "user", 201)),
    "export of users": ("identity", "user_import.py", "p.phc AS password_hash", ("-infinity", LOWEST_ID, 51, True), (DEEP, LOWEST_ID, 51, True)),
    "holders of a role": ("rbac", "roles.py", "granted_by, granted_at FROM user_roles", ("user", *FIRST, HIGHEST_ID, 51), ("user", DEEP, LOWEST_ID, LOWEST_ID, 51)),
    "members": ("tenancy", "members.py", "AND (m.created_at, m.user_id) > ($3", (ORGANIZATION, "-infinity", LOWEST_ID, 51), (ORGANIZATION, DEEP, LOWEST_ID, 51)),
    "audit log": ("tenancy", "audit.py", "WHERE l.app_id = $1 AND l.created_at >= $2::timestamptz", ("-infinity", *FIRST, 51), ("-infinity", DEEP, LOWEST_ID, 51)),
    "audit log of a type": ("tenancy", "audit.py", "l.event_type = $6", ("-infinity", *FIRST, 51, "rare"), ("-infinity", DEEP, LOWEST_ID, 51, "rare")),
    "audit log of an address": ("tenancy", "audit.py", "l.ip_address = $6", ("-infinity", *FIRST, 51, "192.0.2.1", None), ("-infinity", DEEP, LOWEST_ID, 51, "192.0.2.1", None)),
    "organizations": ("tenancy", "organizations.py", "o.app_id = $1 AND o.id > $3", (None, LOWEST_ID, 51), (None, MIDDLE_ID, 51)),
    "search of an organization": ("tenancy", "organizations.py", "FROM organization_words w\n        WHERE", (None, "team", LOWEST_ID, "team", [], 51), (None, "team", MIDDLE_ID, "team", [], 51)),
    "search of an organization by two words": ("tenancy", "organizations.py", "FROM organization_words w\n        WHERE", (None, "rare", LOWEST_ID, "rare", ["1"], 51), (None, "rare", MIDDLE_ID, "rare", ["1"], 51)),
    "export of the log": ("tenancy", "audit_chain.py", "c.seq <= $9", (0, 50, None, None, None, "-infinity", "infinity", 50), (MANY // 2, 50, None, None, None, "-infinity", "infinity", MANY // 2 + 50)),
    "grants of a client": ("oidc", "consents.py", "u.email, u.name,\n               g.created_at", ("client", "-infinity", LOWEST_ID, 51), ("client", DEEP, LOWEST_ID, 51)),
}  # fmt: skip
"""Service, file and a part of the statement. Then the parameters of its first page, and of one far
on.
"""


@pytest.fixture(scope="module")
async def grown(module_database: dict[str, str]) -> dict[str, str]:
    owner = await asyncpg.connect(module_database["owner"])
    await owner.execute("SET synchronous_commit = on")  # VACUUM marks only what is on the disk
    for app, slug, many in ((SMALL, "small", 200), (LARGE, "large", MANY)):
        for sql in FILL.split(";\n"):
            if not sql.strip():
                continue
            given = (app, many, slug, START, ORGANIZATION)
            used = [n for n in range(1, 6) if f"${n}" in sql]
            for place, n in enumerate(used, 1):
                sql = sql.replace(f"${n}", f"${place}")
            await owner.execute(sql, *(given[n - 1] for n in used))
    await owner.execute("VACUUM ANALYZE")  # as autovacuum does soon
    await owner.close()
    return module_database


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_costs_the_same_everywhere(name: str, grown: dict[str, str]) -> None:
    """The first page of 200 rows, the first of 20,000 and a late one read about the same."""
    service, file, part, first, far = PAGES[name]
    sql, dsn = statement(service, file, part), grown[service]

    small = await buffers(dsn, sql, SMALL, first)
    large = await buffers(dsn, sql, LARGE, first)
    deep = await buffers(dsn, sql, LARGE, far)

    assert max(large, deep) <= 2 * small + 60, (small, large, deep)


@pytest.mark.parametrize(
    "condition",
    [([], True, None), ([], None, False), (["xyz"], None, None)],
    ids=["disabled", "unverified", "another word"],
)
async def test_a_search_looks_at_a_bounded_number_of_users(
    condition: tuple[object, ...], grown: dict[str, str]
) -> None:
    """All 20,000 users are called Anna, and few of them match. One statement looks at 500."""
    sql = statement("identity", "user_lists.py", MATCHING)
    small, large = [
        await buffers(grown["identity"], sql, app, (*ANNA, *condition, 51))
        for app in (SMALL, LARGE)
    ]

    assert large <= 3 * small + 500, (small, large)
    assert large <= 12 * STRETCH


async def test_the_users_of_a_page_share_the_way_down(grown: dict[str, str]) -> None:
    """Whether each has a password, is one scan of neighbours, and not a look-up for each user."""
    sql = statement("identity", "users.py", "u.id = ANY(ARRAY(")
    some = f"ARRAY(SELECT id FROM users WHERE app_id = '{LARGE}' ORDER BY id LIMIT 50)"
    rows = "SELECT id, email FROM users WHERE app_id = $1 AND id = ANY($2::uuid[])"
    cost, of_rows = [
        await buffers(grown["identity"], each.replace("$2::uuid[]", some), LARGE, ())
        for each in (sql, rows)
    ]

    assert cost <= of_rows + 20, (cost, of_rows)


async def test_second_matches_of_a_user_cost_an_index_entry(grown: dict[str, str]) -> None:
    """Each user has two words that begin with a digit, and every second one is left out. That reads no
    row of a user."""
    sql = statement("identity", "user_lists.py", "count(*) OVER () < $5 AS is_last")

    assert await buffers(grown["identity"], sql, LARGE, ("1", LOWEST_ID, "1", STRETCH)) < 100


async def test_a_search_of_applications_costs_the_same_everywhere(grown: dict[str, str]) -> None:
    """A page of an operator's search, by one word or two, reads about the same among 200 applications, among
    20,000, and far behind the first page."""
    sql = statement("tenancy", "platform_applications.py", "FROM application_words w")
    costs: dict[str, list[int]] = {"": [], "1": [], "north": []}
    owner = await asyncpg.connect(grown["owner"])
    for first, last in ((1, 200), (201, MANY)):
        await owner.execute(
            "INSERT INTO applications (id, slug, name)"
            " SELECT gen_random_uuid(), 'own-shop-' || i, 'North Shop ' || 1000000 + i"
            " FROM generate_series($1::integer, $2) i ON CONFLICT DO NOTHING",
            first,
            last,
        )
        await owner.execute("ANALYZE")
        for second in costs:
            for place in (LOWEST_ID, MIDDLE_ID):
                values: tuple[object, ...] = ("shop", place, "shop", second.split(), "{}", 51)
                costs[second].append(await buffers(grown["tenancy"], sql, LARGE, values))
    await owner.execute("DELETE FROM applications WHERE slug LIKE 'own-shop-%'")
    await owner.close()

    assert all(max(each) <= 2 * each[0] + 60 for each in costs.values()), costs


async def test_one_users_grants_end_without_reading_the_others(grown: dict[str, str]) -> None:
    """The client has 20,000 grants. Ending one user's grants reads only those."""
    sql = statement(
        "oidc", "token_families.py", "client_id = $2 AND user_id = $3 AND revoked_at IS NULL"
    )

    assert await buffers(grown["oidc"], sql, LARGE, ("client", LOWEST_ID, "user")) < 30


async def test_an_event_is_sealed_by_its_id(grown: dict[str, str]) -> None:
    """Sealing looks up the events of the stream, and reads nothing else of the log."""
    sql = statement("tenancy", "audit_chain.py", "l.id = ANY($2::uuid[])\n      AND NOT EXISTS")
    small, large = [
        await buffers(
            grown["tenancy"],
            sql.replace(
                "$2::uuid[]",
                f"ARRAY(SELECT id FROM audit_logs WHERE app_id = '{app}' ORDER BY created_at DESC LIMIT 50)",
            ),
            app,
            (),
        )
        for app in (SMALL, LARGE)
    ]

    assert large <= 2 * small + 60, (small, large)


SMALL_QUEUES = {"rate_limits", "mail_outbox", "oauth_client_secrets"}
"""Tables whose sweep reads them whole: their rows are short, and few or soon deleted."""


def unbounded_scans(plan: dict[str, Any]) -> set[str]:
    """Returns the tables of scans that no condition bounds."""
    bounded = "Index Cond" in plan or plan["Node Type"] in ("ModifyTable", "Bitmap Heap Scan")
    table = plan.get("Relation Name", "").rpartition("_p")[0] or plan.get("Relation Name", "")
    found = set() if bounded or not table else {table}
    return found.union(*(unbounded_scans(part) for part in plan.get("Plans", ())))


def search_of(plan: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of a sweep's plan that looks for rows: below its LIMIT, if it has one."""
    if plan["Node Type"] == "Limit":
        return plan
    below = [search_of(part) for part in plan.get("Plans", ())]
    return next((part for part in below if part["Node Type"] == "Limit"), plan)


@pytest.mark.parametrize("service", ["identity", "oidc", "tenancy"])
async def test_a_sweep_finds_expired_rows_by_an_index(service: str, grown: dict[str, str]) -> None:
    """Every ten minutes: without an index of the expiry, a sweep reads every row of the table."""
    expired = importlib.import_module(f"{service}.queries.sweeps").EXPIRED
    db = await asyncpg.connect(grown["sweep"], server_settings={"enable_seqscan": "off"})
    try:
        plans = {
            table: orjson.loads(await db.fetchval(f"EXPLAIN (FORMAT JSON) {sql}"))[0]["Plan"]
            for table, sql in expired.items()
        }
    finally:
        await db.close()
    whole = {table for table, plan in plans.items() if table in unbounded_scans(search_of(plan))}

    # user_sessions has an index for each of its two times, and joins those that were replaced.
    assert whole <= SMALL_QUEUES | {"user_sessions"}


async def test_the_count_finds_a_filter(grown: dict[str, str]) -> None:
    """A sample that must be caught: a page whose cursor compares with NULL reads every row before
    it."""
    slow = """
        SELECT id, name FROM users WHERE app_id = $1
          AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
        ORDER BY created_at DESC, id DESC LIMIT 51
    """

    assert await buffers(grown["identity"], slow, LARGE, (DEEP, LOWEST_ID)) > 200
