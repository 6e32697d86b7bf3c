"""What the rules look at: modules, statements and contracts of the product's own code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import common.contracts
from common.contracts.base import CONTRACTS, Request

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
COMMON = ROOT / "libs" / "common"
CLI = ROOT / "cli" / "aero2"

WITH_TABLES = ("identity", "oidc", "rbac", "tenancy")
"""Services that answer contracts; the gateway only asks."""

STATEMENT = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|MERGE\s+INTO|TRUNCATE"
    r"|LOCK\s+TABLE|CALL)\s",
)
"""SQL keywords are written in capitals here: prose that begins with `Update …` is no statement."""


@dataclass(frozen=True)
class Statement:
    """A SQL statement and where it stands."""

    file: Path
    line: int
    sql: str

    @property
    def where(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def service(self) -> str | None:
        """The service it belongs to; None in libs/common."""
        parts = self.file.relative_to(ROOT).parts
        return parts[1] if parts[0] == "services" else None

    @property
    def any_tenant(self) -> bool:
        return re.search(r"--\s*any-tenant:\s*\S", self.sql) is not None


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


def modules(*roots: Path) -> list[Path]:
    return sorted(file for root in roots for file in root.rglob("*.py"))


def statements(*roots: Path) -> Iterator[Statement]:
    """Every statement: literals, and constants that a module makes of literals when it is imported.

    A constant is built from an f-string or by `numbered`. Its text is read from the imported
    module. A rule in test_sql.py says what such a constant may be built from.
    """
    for file in modules(*roots):
        parts = {
            id(v) for n in ast.walk(tree(file)) if isinstance(n, ast.JoinedStr) for v in n.values
        }
        for name, value in built_constants(tree(file)):
            parts |= {id(node) for node in ast.walk(value)}
            text = getattr(importlib.import_module(module_name(file)), name)
            if isinstance(text, str) and STATEMENT.match(text):
                yield Statement(file, value.lineno, text)
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if STATEMENT.match(node.value) and id(node) not in parts:
                yield Statement(file, node.lineno, node.value)


def built_constants(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The module's constants that are an f-string or a call of `numbered`, with their values."""
    for node in module.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, value = node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        else:
            continue
        if isinstance(value, ast.JoinedStr) or calls(value, "numbered"):
            assert value is not None
            yield name, value


def calls(node: ast.AST | None, function: str) -> bool:
    """Whether the expression is a call of a function of this name."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
    )


def module_name(file: Path) -> str:
    """The name by which the file is imported."""
    root = next(root for root in (SERVICES, COMMON.parent, CLI.parent) if root in file.parents)
    return ".".join(file.relative_to(root).with_suffix("").parts)


def contracts() -> dict[str, type[Request[Any]]]:
    """Every contract by its subject."""
    for found in pkgutil.iter_modules(common.contracts.__path__):
        importlib.import_module(f"common.contracts.{found.name}")
    # Tests declare contracts of their own: only what stands in common counts.
    return {
        subject: contract
        for subject, contract in sorted(CONTRACTS.items())
        if contract.__module__.startswith("common.contracts.")
    }


def landed() -> list[str]:
    """Services that have a table of handlers."""
    return [name for name in WITH_TABLES if (SERVICES / name / "handlers.py").exists()]


def handlers(service: str) -> dict[type[Request[Any]], Any]:
    table: dict[type[Request[Any]], Any] = importlib.import_module(f"{service}.handlers").HANDLERS
    return table
