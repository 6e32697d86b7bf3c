"""Only common/address_keys.py says when two addresses or domains are the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.architecture.source import CLI, COMMON, SERVICES, modules, statements, tree

HOME = COMMON / "address_keys.py"
SUBJECT = re.compile(r"e?mail|address|domain|host|proven|recipient|\bto\b", re.IGNORECASE)
"""What an expression is called that holds an address."""
FOLDED = re.compile(r"\b(?:lower|upper)\s*\(\s*(?:\$\d|[^)]*(?:email|domain|address))|\bcitext\b")
ELSEWHERE = {"name"}
"""Columns that a statement may fold, together with the value they are compared with."""


def folds(module: ast.Module) -> list[int]:
    """Lines that fold the case of an address, or encode a domain."""
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if (
            node.func.attr in ("lower", "upper", "casefold")
            and SUBJECT.search(ast.unparse(node.func.value))
        )
        or (node.func.attr == "encode" and [ast.unparse(arg) for arg in node.args] == ["'idna'"])
    ]


def folded_in_sql(sql: str) -> bool:
    """True if the statement folds an address; names are folded on both sides by SQL."""
    plain = re.sub(r"lower\((?:\w+\.)?name\) LIKE lower\(\$\d+\)", "", sql)
    plain = re.sub(r"starts_with\((?:\w+\.)?\w+(?:\.name\))?, lower\(\$\d+\)\)", "", plain)
    plain = re.sub(r"starts_with\(lower\((?:\w+\.)?name\), lower\(\$\d+\)\)", "", plain)
    return FOLDED.search(plain) is not None


def test_addresses_are_folded_in_one_module() -> None:
    """No `.lower()` on an address, a domain or a host elsewhere."""
    found = [
        f"{file.name}:{line}"
        for file in modules(SERVICES, COMMON, CLI)
        if file != HOME
        for line in folds(tree(file))
    ]

    assert found == []


def test_no_statement_folds_an_address() -> None:
    """Python computes the key; Postgres maps some letters differently."""
    found = [one.where for one in statements(SERVICES, COMMON) if folded_in_sql(one.sql)]
    schema = (Path(__file__).parents[2] / "db" / "schema.sql").read_text()

    assert found == []
    assert not FOLDED.search(schema)


@pytest.mark.parametrize(
    "source", ["email.lower()", "(user.email or '').casefold()", "domain.encode('idna')"]
)
def test_the_rule_sees(source: str) -> None:
    """The rule itself finds what it forbids."""
    assert folds(ast.parse(source)) == [1]
    assert folded_in_sql("SELECT id FROM users WHERE email_normalized = lower($2)")
