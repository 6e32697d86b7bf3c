"""What the rules look at: modules, statements and contracts of the product's own code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
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
    name: str = ""
    """Of the constant that holds it."""

    @property
    def where(self) -> str:
        return " ".join((f"{self.file.relative_to(ROOT)}:{self.line}", self.name)).strip()

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
    """Every statement: a literal in a function, or a constant of a module as its import leaves it.

    A constant may be composed, of a list of columns or with named parameters: it says the same at
    every call. A statement composed in a function is refused by a rule of its own.
    """
    for file in modules(*roots):
        inside = set(map(id, composed(tree(file))))
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if STATEMENT.match(node.value) and id(node) not in inside:
                yield Statement(file, node.lineno, node.value)
        yield from _constants(file)


def composed(module: ast.Module) -> Iterator[ast.AST]:
    """Everything that a call, an operator or an f-string makes a module's constant of, and the
    parts of any other f-string."""
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _composes(node.value):
            yield from ast.walk(node)
    for below in ast.walk(module):
        if isinstance(below, ast.JoinedStr):
            yield from below.values


def _composes(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call | ast.BinOp | ast.JoinedStr | ast.DictComp)


def _constants(file: Path) -> Iterator[Statement]:
    """Statements that an import of the module composes, also in a dictionary of dataclasses."""
    lines = {
        target.id: node.lineno
        for node in tree(file).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and _composes(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    if not lines or "queries" not in file.parts:
        return
    top = ROOT / file.relative_to(ROOT).parts[0]
    module = importlib.import_module(".".join(file.relative_to(top).with_suffix("").parts))
    for name, line in lines.items():
        for path, text in _texts(getattr(module, name), name):
            if STATEMENT.match(text):
                yield Statement(file, line, text, path)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, f"{path}.{key}")
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name), f"{path}.{field.name}")


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
