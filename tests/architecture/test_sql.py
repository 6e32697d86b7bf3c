"""Where SQL stands, and that each statement names its application.

Escape: `-- any-tenant: why` inside the statement.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.architecture.source import (
    AREAS,
    CLI,
    COMMON,
    ROOT,
    SERVICES,
    STATEMENT,
    constants,
    literal,
    modules,
    statements,
    tree,
    where,
)

IN_COMMON = {"audit.py", "outbox.py", "mail.py", "sealing.py", "master_keys.py"}
"""Modules of libs/common that own a table: what every service writes with its own work."""


def test_there_are_statements() -> None:
    """The rules below look at something."""
    assert len(list(statements(SERVICES, COMMON))) >= 200


def test_sql_stands_in_queries_only() -> None:
    """One function per statement, under `queries/`; in libs/common only where a table is owned."""
    outside = [
        made.where
        for made in statements(SERVICES, COMMON)
        if not (
            "queries" in made.file.parts
            or (made.file.parent == COMMON and made.file.name in IN_COMMON)
        )
    ]

    assert outside == []


def test_every_statement_names_its_application() -> None:
    """`app_id` stands in it, or the reason why it does not."""
    loose = [
        made.where
        for made in statements(SERVICES, COMMON)
        if "app_id" not in made.sql and not made.any_tenant
    ]

    assert loose == []


def built(module: ast.Module, names: Mapping[str, str]) -> Iterator[int]:
    """Lines of statements that are put together from anything but constants of the module."""
    for node in ast.walk(module):
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
        for line in built(tree(file), constants(file))
    ] == []


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ('f"SELECT {COLUMNS} FROM users"', False),
        ('f"SELECT {columns} FROM users"', True),
        ('f"SELECT id FROM {table()}"', True),
        ('"SELECT id FROM users WHERE " + filter', True),
        ('"SELECT id FROM {}".format(table)', True),
    ],
)
def test_the_rule_sees_a_built_statement(source: str, refused: bool) -> None:
    """Only a constant may be named in a statement."""
    assert bool(list(built(ast.parse(source), {"COLUMNS": "id, name"}))) is refused


def test_columns_are_named() -> None:
    """`SELECT *` breaks when a column is added while two versions run; a record set names its own."""
    starred = [
        made.where
        for made in statements(SERVICES, COMMON, CLI)
        if re.search(r"(SELECT|RETURNING)\s+\*(?!\s+FROM\s+jsonb_to_recordset)", made.sql)
    ]

    assert starred == []


def test_settings_are_local() -> None:
    """The application of a connection is set for one transaction and never outlives it (X3)."""
    loose = []
    for file in modules(SERVICES, COMMON):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                names = "aero2.app_id" in text and ("SET " in text or "set_config" in text)
                local = "SET LOCAL" in text or re.search(r"set_config\([^()]*, true\)", text)
                if names and not local and node.value != ast.get_docstring(tree(file)):
                    loose.append(f"{file.relative_to(ROOT)}:{node.lineno}")

    assert loose == []


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
