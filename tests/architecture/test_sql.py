"""SQL is in queries only, and each statement names its application.

The exception is `-- any-tenant: why` inside the statement.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.architecture.source import (
    AREAS,
    CLI,
    COMMON,
    SERVICES,
    STATEMENT,
    Statement,
    computed,
    constants,
    literal,
    modules,
    statements,
    tree,
    where,
)

IN_COMMON = {
    "attempt_counts.py",
    "audit.py",
    "audit_transfers.py",
    "cluster_admission.py",
    "clusters.py",
    "connection_poolers.py",
    "earlier_commits.py",
    "imported_keys.py",
    "mail.py",
    "master_keys.py",
    "outbox_batches.py",
    "sealing.py",
    "server_state.py",
}
"""Modules of libs/common that own what every service writes with its own work: a table, or a message
in the log of the database. Two read no table: they ask for the process, and the server, of a connection."""


def test_there_are_statements() -> None:
    """The other rules would pass without any statement."""
    assert len(list(statements(SERVICES, COMMON))) >= 200


def test_sql_stands_in_queries_only() -> None:
    """One function per statement, under `queries/`; in libs/common only where a table is owned."""
    outside = [
        statement.where
        for statement in statements(SERVICES, COMMON)
        if not (
            "queries" in statement.file.parts
            or (statement.file.parent == COMMON and statement.file.name in IN_COMMON)
        )
    ]

    assert outside == []


def test_every_statement_names_its_application() -> None:
    """`app_id` stands in it, or the reason why it does not."""
    assert [s.where for s in statements(SERVICES, COMMON) if nameless(s)] == []


def nameless(statement: Statement) -> bool:
    """Tells if the statement names neither its application nor a reason."""
    return "app_id" not in statement.sql and not statement.any_tenant


def test_the_rule_sees_a_statement_without_application() -> None:
    """A statement over all applications is found, unless it says why."""
    everywhere = "SELECT id FROM users WHERE id = $1"

    assert nameless(Statement(Path("a.py"), 1, everywhere))
    assert not nameless(Statement(Path("a.py"), 1, f"-- any-tenant: a sweep\n{everywhere}"))
    assert not nameless(Statement(Path("a.py"), 1, f"{everywhere} AND app_id = $2"))


def test_computed_statements_are_seen() -> None:
    """The two kinds of role have statements of their own, computed from one text."""
    seen = {
        statement.name: statement.sql for statement in statements(SERVICES / "rbac" / "queries")
    }

    assert "DELETE FROM roles " in seen["STATEMENTS.application.delete"]
    assert "DELETE FROM organization_roles " in seen["STATEMENTS.organization.delete"]


def built(
    module: ast.Module, names: Mapping[str, str], allowed: Collection[int] = ()
) -> Iterator[int]:
    """Lines of statements that are put together from anything but constants of the module.

    `allowed` are the nodes of what an import computes: it says the same at every call."""
    for node in ast.walk(module):
        if id(node) in allowed:
            continue
        if isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            head = first.value if isinstance(first, ast.Constant) else ""
            text = "" if literal(node, names) is not None else head
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            text = node.left.value if isinstance(node.left, ast.Constant) else ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            formats = node.func.attr in ("format", "join", "replace", "format_map")
            text = receiver.value if formats and isinstance(receiver, ast.Constant) else ""
        else:
            continue
        if isinstance(text, str) and STATEMENT.match(text):
            yield node.lineno


def test_statements_are_literals() -> None:
    """A statement names constants of its module at most: what varies is a parameter."""
    assert [
        f"{where(file)}:{line}"
        for file in modules(SERVICES, COMMON)
        for line in built(tree(file), constants(file), computed(file))
    ] == []


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ('f"SELECT {COLUMNS} FROM users"', False),
        ('f"SELECT {columns} FROM users"', True),
        ('f"SELECT {COLUMNS!r} FROM users"', True),
        ("f\"SELECT {qualified('u', COLUMNS)} FROM users u\"", False),
        ("f\"SELECT {qualified('u', columns)} FROM users u\"", True),
        ('f"SELECT {qualified(alias, COLUMNS)} FROM users u"', True),
        ('numbered(f"SELECT {columns} FROM users", Find)', True),
        ('f"SELECT id FROM {table()}"', True),
        ('"SELECT id FROM users WHERE " + filter', True),
        ('"SELECT id FROM {}".format(table)', True),
    ],
)
def test_the_rule_sees_a_built_statement(source: str, refused: bool) -> None:
    """Only a constant may be named in a statement."""
    assert bool(list(built(ast.parse(source), {"COLUMNS": "id, name"}))) is refused


STARRED = re.compile(r"(SELECT|RETURNING)\s+\*(?!\s+FROM\s+jsonb_to_recordset)")


def test_columns_are_named() -> None:
    """`SELECT *` breaks when a column is added while two versions run; a record set names its own."""
    assert [s.where for s in statements(SERVICES, COMMON, CLI) if STARRED.search(s.sql)] == []


def lasting_settings(module: ast.Module) -> Iterator[int]:
    """Lines that set the application of a connection for longer than a transaction."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            sets = "aero2.app_id" in text and ("SET " in text or "set_config" in text)
            local = "SET LOCAL" in text or re.search(r"set_config\([^()]*, true\)", text)
            if sets and not local and text != ast.get_docstring(module, clean=False):
                yield node.lineno


def test_settings_are_local() -> None:
    """The application of a connection is set for one transaction and never outlives it."""
    assert [
        f"{where(file)}:{line}"
        for file in modules(SERVICES, COMMON)
        for line in lasting_settings(tree(file))
    ] == []


def test_the_rules_see_stars_and_lasting_settings() -> None:
    """`SELECT *`, `SET` and `set_config(…, false)` are found."""
    assert STARRED.search("DELETE FROM users RETURNING *")
    assert not STARRED.search("SELECT * FROM jsonb_to_recordset($1) AS r(a text)")
    for text in ("SET aero2.app_id = 'x'", "SELECT set_config('aero2.app_id', $1, false)"):
        assert list(lasting_settings(ast.parse(f"x = {text!r}"))) == [1]
    assert list(lasting_settings(ast.parse("x = \"SET LOCAL aero2.app_id = 'x'\""))) == []


# Said once

LONG_LIST = 6
LONG_PREDICATE = 2
TWICE = 2


def outputs(sql: str) -> Iterator[tuple[str, ...]]:
    """The column lists of a statement's SELECT and RETURNING clauses, in alphabetical order."""
    flat = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    for match in re.finditer(r"\b(?:SELECT(?: DISTINCT)?|RETURNING)\s+", flat):
        columns = _list_at(flat[match.end() :])
        yield tuple(sorted(re.sub(r"^\w+\.(?=\w+$)", "", column) for column in columns))


def _list_at(text: str) -> list[str]:
    """The expressions up to FROM or the closing bracket."""
    depth, start, columns = 0, 0, []
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        ends = depth < 0 or (depth == 0 and text.startswith(" FROM ", index))
        if ends or (depth == 0 and character == ","):
            columns.append(text[start:index].strip())
            start = index + 1
        if ends:
            return columns
    return [*columns, text[start:].strip()]


def predicates(sql: str) -> Iterator[tuple[str, ...]]:
    """The terms of a statement's WHERE clauses, without those that name the application."""
    flat = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    end = (
        r"(?=\b(?:ORDER BY|GROUP BY|LIMIT|RETURNING|UNION|FOR UPDATE|ON CONFLICT|WHERE|SELECT)\b|$)"
    )
    for match in re.finditer(rf"\bWHERE\s+(.*?){end}", flat):
        terms = [re.sub(r"\b\w+\.(?=\w)", "", t.strip(" ()")) for t in match[1].split(" AND ")]
        yield tuple(sorted(re.sub(r"\$\d+|:\w+", "$", t) for t in terms if "app_id" not in t))


def repeated(sources: Iterable[tuple[str, str]]) -> dict[tuple[str, ...], set[str]]:
    """Lists of more than six columns and predicates of more than two terms that are written in
    more than two places. `sources` are pairs of place and SQL as it is written."""
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for place, sql in sources:
        for columns in outputs(sql):
            if len(columns) > LONG_LIST:
                places[columns].add(place)
        for terms in predicates(sql):
            if len(terms) > LONG_PREDICATE:
                places[terms].add(place)
    return {said: where_ for said, where_ in places.items() if len(where_) > TWICE}


def written(*roots: Path) -> Iterator[tuple[str, str]]:
    """Statements as they are written: a constant stands there by its name."""
    for file in modules(*roots):
        for node in ast.walk(tree(file)):
            text = literal(node, {name: name for name in constants(file)})
            if text is not None and STATEMENT.match(text):
                yield f"{where(file)}:{node.lineno}", text  # type: ignore[attr-defined]


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_columns_and_predicates_are_said_once(area: Path) -> None:
    """A long list of columns, or a long predicate, stands in a constant that statements name."""
    assert repeated(written(area)) == {}


def test_the_rule_sees_a_repetition() -> None:
    """Three statements with seven equal columns, or with three equal terms, are found."""
    columns = "SELECT u.a, b, c, d, e, f, (SELECT max(x, y) FROM g) FROM users WHERE app_id = $1"
    terms = "SELECT a FROM s WHERE app_id = $1 AND id = $2 AND revoked_at IS NULL AND ends > now()"
    for sql in (columns, terms):
        assert len(repeated((str(place), sql) for place in range(3))) == 1
        assert repeated((str(place), sql) for place in range(2)) == {}
