"""A twin is another application whose rows have the same ids, addresses, slugs and client ids.

Every call goes to the other application. A statement that forgets its application would read or
change the twin, and every text of the twin contains a word of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.architecture.source import contracts
from tests.isolation.cases import askers, case
from tests.isolation.restoring import SavedRows
from tests.isolation.sides import Sides, built, populate
from tests.isolation.test_every_contract import in_dashboard, said_to
from tests.kit.deployments import Shape
from tests.kit.in_process import bus_of
from tests.kit.postgres import Postgres

from common.ids import DASHBOARD, new_id
from common.problems import Problem
from common.testing import context

pytestmark = pytest.mark.one_cluster("makes its twin by copies of rows")


OF_OPERATORS = {"platform:manage", "developers:read", "developers:write", "apps:read:all"}
"""What contracts need that work in the Dashboard alone, for operators."""

GHOST = "quagga"
"""The word in every text of the twin."""
UNIQUE = {"application_api_keys", "audit_outbox", "mail_outbox", "rate_limits"}
"""Tables without a twin: their keys are unique in the whole deployment."""
TEXTS = {"name", "given_name", "description", "public_metadata", "user_metadata", "event_data"}
ORDER = ("create", "update", "put", "revoke", "remove", "delete")


@pytest.fixture(scope="module", params=["own roles", "no row level security"])
async def pair(
    postgres: Postgres, shape: Shape, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Sides, str]]:
    """Returns an application and its twin. The second parameter runs every service as superuser: no
    policy helps, so the statements themselves must compare the application."""
    name = postgres.clone()
    dsns = postgres.dsns(name)
    if request.param == "no row level security":
        dsns = dict.fromkeys(dsns, dsns["owner"])
    async with built(dsns, bus_of(shape)()) as sides:
        await populate(sides)
        yield sides, await twin(sides.owner, sides.home.app_id, sides.home.word)
    postgres.drop(name)


async def twin(owner: asyncpg.Connection[asyncpg.Record], app_id: str, word: str) -> str:
    """Copies every row of an application to a new one and returns its id."""
    other = new_id()
    async with owner.transaction():
        await owner.execute(
            "SET LOCAL session_replication_role = replica"
        )  # Switches foreign keys and triggers off.
        await owner.execute(
            "INSERT INTO applications (id, slug, name, settings, state, provisioned)"
            " SELECT $2, slug || '-twin', $3, settings, state, provisioned"
            " FROM applications WHERE id = $1",
            app_id,
            other,
            GHOST,
        )
        for table, columns in (await _tables(owner)).items():
            picked = ", ".join(_picked(name, kind, word) for name, kind in columns.items())
            await owner.execute(
                f"INSERT INTO {table} (app_id, {', '.join(columns)})"
                f" SELECT '{other}', {picked} FROM {table} WHERE app_id = '{app_id}'"
            )
    return other


async def _tables(owner: asyncpg.Connection[asyncpg.Record]) -> dict[str, dict[str, str]]:
    rows = await owner.fetch(
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS kind
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attgenerated = '' AND a.attidentity = ''
          AND EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'app_id')
        ORDER BY c.relname, a.attnum
        """
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["relname"] not in UNIQUE and row["attname"] != "app_id":
            found.setdefault(row["relname"], {})[row["attname"]] = row["kind"]
    if "custom_domains" in found:  # The key is unique in the deployment, like a proven domain.
        found.pop("custom_domains")
    return found


def _picked(name: str, kind: str, word: str) -> str:
    if name in TEXTS and kind == "text":
        return f"{name} || ' {GHOST}'"
    if name in TEXTS:
        return f"replace({name}::text, '{word}', '{GHOST}')::{kind}"
    return name


def rank(subject: str) -> tuple[int, str]:
    """Sorts contracts: first reads, then creating, changing and ending. The application's own come
    last."""
    contract = contracts()[subject]
    verb = subject.rpartition(".")[2]
    if contract.safe:
        return 0, subject
    if subject == "tenancy.application.delete":
        return 9, subject
    ending = ("end", "sign_out", "rotate", "discard")
    place = next((n for n, word in enumerate(ORDER, 1) if verb.startswith(word)), 2)
    return (7, subject) if verb in ending else (place, subject)


async def test_nothing_touches_the_twin(pair: tuple[Sides, str]) -> None:
    """Every contract is called in one application, with ids that the twin has too. Each finds the rows
    that were there at first, so that most of them really do something."""
    sides, other = pair
    saved = await SavedRows.save(sides, sides.home.app_id)
    before = await sides.rows(other)
    done: list[str] = []
    faults: list[str] = []
    for subject in sorted(contracts(), key=rank):
        contract = contracts()[subject]
        request = case(contract, sides.home).request
        for asker in askers(contract, sides.home):
            ctx: Any = sides.ctx(sides.home, asker)
            if in_dashboard(contract):
                ctx = context(DASHBOARD, sides.home.developer, within=20)
            said, problem = await said_to(sides, ctx, request)
            if problem is None:
                done.append(subject)
            elif type(problem) is Problem:
                faults.append(f"{subject}: a bare 500")
            if GHOST in said:
                faults.append(f"{subject} tells of the twin: {said[:300]}")
            now = await sides.rows(other)
            if now != before:
                changed = sorted(table for table in now if now[table] != before.get(table))
                faults.append(f"{subject} changed the twin's {', '.join(changed)}")
                before = now
        if not contract.safe:
            await saved.restore(sides)

    assert faults == []
    possible = {name for name, one in contracts().items() if one.needs not in OF_OPERATORS}
    undone = sorted(possible - set(done))
    assert len(undone) <= 0.10 * len(possible), f"too many were refused: {undone}"


async def test_the_twin_is_one(pair: tuple[Sides, str]) -> None:
    """The same ids are in both applications. Otherwise the test above would show nothing."""
    sides, other = pair
    same = await sides.owner.fetchval(
        "SELECT count(*) FROM permissions a JOIN permissions b USING (id)"
        " WHERE a.app_id = $1 AND b.app_id = $2",
        sides.away.app_id,
        other,
    )
    users = await sides.owner.fetchval(
        "SELECT count(*) FROM users WHERE app_id = $1 AND name LIKE '%' || $2", other, GHOST
    )

    assert same > 5
    assert users == 2
