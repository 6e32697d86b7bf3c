"""Where SQL stands, and that each statement names its application.

Escape: `-- any-tenant: why` inside the statement.
"""

from __future__ import annotations

import ast
import re

from tests.architecture.source import (
    CLI,
    COMMON,
    ROOT,
    SERVICES,
    STATEMENT,
    composed,
    modules,
    statements,
    tree,
)

IN_COMMON = {"audit.py", "outbox.py", "mail.py", "sealing.py", "master_keys.py"}
"""Modules of libs/common that own a table: what every service writes with its own work."""


def test_there_are_statements() -> None:
    """The rules below look at something."""
    assert len(list(statements(SERVICES, COMMON))) >= 200


def test_composed_statements_are_seen() -> None:
    """The two kinds of role have statements of their own, composed from one text."""
    seen = {made.name: made.sql for made in statements(SERVICES / "rbac" / "queries")}

    assert "DELETE FROM roles " in seen["STATEMENTS.application.delete"]
    assert "DELETE FROM organization_roles " in seen["STATEMENTS.organization.delete"]


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
    """A statement never differs from call to call: what varies is a parameter. What an import
    composes stands in a constant of a module of queries."""
    built = []
    for file in modules(SERVICES, COMMON):
        constant = set(map(id, composed(tree(file)))) if "queries" in file.parts else set()
        for node in ast.walk(tree(file)):
            if id(node) in constant:
                continue
            if isinstance(node, ast.JoinedStr):
                first = node.values[0] if node.values else None
                text = first.value if isinstance(first, ast.Constant) else ""
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
                text = node.left.value if isinstance(node.left, ast.Constant) else ""
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                literal = node.func.value
                named = node.func.attr in ("format", "join", "replace", "format_map")
                text = literal.value if named and isinstance(literal, ast.Constant) else ""
            else:
                continue
            if isinstance(text, str) and STATEMENT.match(text):
                built.append(f"{file.relative_to(ROOT)}:{node.lineno}")

    assert built == []


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
