"""Where SQL stands, and that each statement names its application.

Escape: `-- any-tenant: why` inside the statement.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from tests.architecture.source import (
    CLI,
    COMMON,
    ROOT,
    SERVICES,
    STATEMENT,
    built_constants,
    calls,
    modules,
    statements,
    tree,
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


def test_statements_are_literals() -> None:
    """A statement is never built: what varies is a parameter. Constants of a module may share
    parts: f-strings whose parts are constants, or `qualified` column lists of them."""
    built = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in modules(SERVICES, COMMON)
        for line in lines_with_built_statements(tree(file))
    ]

    assert built == []


BUILT = {
    "a value of a call": 'async def find(name):\n    return f"SELECT {name} FROM users"',
    "an expression": 'FIND = f"SELECT {columns()} FROM users"',
    "an attribute": 'FIND = f"SELECT {settings.columns} FROM users"',
    "a conversion": 'NAME = "id"\nFIND = f"SELECT {NAME!r} FROM users"',
    "an alias from elsewhere": 'A = "id"\nFIND = f"SELECT {qualified(alias(), A)} FROM users"',
    "a name that is no constant": 'from os import name\nFIND = f"SELECT {name} FROM users"',
    "a name that is unknown": 'FIND = f"SELECT {COLUMNS} FROM users"',
    "an f-string in a call": 'FIND = numbered(f"SELECT {columns()} FROM users", Find)',
    "a sum": 'FIND = "SELECT id FROM " + table',
    "format": 'FIND = "SELECT id FROM {}".format(table)',
}


@pytest.mark.parametrize("code", BUILT.values(), ids=list(BUILT))
def test_the_rule_finds_a_built_statement(code: str) -> None:
    """Whatever is not a constant could hold what a user has sent."""
    assert list(lines_with_built_statements(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'COLUMNS = "id"\nFIND = f"SELECT {COLUMNS} FROM users"',
        'COLUMNS: Final = "id"\nFIND = f"SELECT {qualified(\'u\', COLUMNS)} FROM users u"',
        'from oidc.queries.x import COLUMNS\nFIND = numbered(f"SELECT {COLUMNS} FROM users", Find)',
    ],
)
def test_the_rule_lets_constants_share_parts(code: str) -> None:
    """A column list is said once for several statements."""
    assert list(lines_with_built_statements(ast.parse(code))) == []


def lines_with_built_statements(module: ast.Module) -> Iterator[int]:
    """Lines of a module where a statement is built of more than constants."""
    constants = _constants(module)
    allowed = {
        id(node)
        for _, value in built_constants(module)
        for node in ast.walk(value)
        if isinstance(node, ast.JoinedStr) and _shares_constants(node, constants)
    }
    for node in ast.walk(module):
        if id(node) not in allowed and STATEMENT.match(_beginning(node)):
            yield node.lineno if isinstance(node, ast.expr) else 0


def _constants(module: ast.Module) -> set[str]:
    """Names in capitals that the module assigns, or imports from another module of queries."""
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and ".queries." in f"{node.module}.":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.add(node.targets[0].id)
    return {name for name in names if name.isupper()}


def _shares_constants(node: ast.JoinedStr, constants: set[str]) -> bool:
    """Whether all parts of an f-string are literals, constants, or column lists of constants."""
    for part in node.values:
        if isinstance(part, ast.Constant):
            continue
        assert isinstance(part, ast.FormattedValue)
        value = part.value
        if calls(value, "qualified"):
            assert isinstance(value, ast.Call)
            alias, value = value.args
            if not isinstance(alias, ast.Constant):
                return False
        if part.conversion != -1 or part.format_spec or not isinstance(value, ast.Name):
            return False
        if value.id not in constants:
            return False
    return True


def _beginning(node: ast.AST) -> str:
    """The literal with which an expression begins that builds a text; empty for others."""
    if isinstance(node, ast.JoinedStr):
        literal: ast.expr | None = node.values[0] if node.values else None
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        literal = node.left
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        builds = node.func.attr in ("format", "join", "replace", "format_map")
        literal = node.func.value if builds else None
    else:
        return ""
    text = literal.value if isinstance(literal, ast.Constant) else ""
    return text if isinstance(text, str) else ""


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
