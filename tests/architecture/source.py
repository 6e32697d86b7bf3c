"""What the rules look at: modules, statements and contracts of the product's own code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import common.contracts
from common.contracts.base import CONTRACTS, Request
from common.sql import numbered, qualified

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
COMMON = ROOT / "libs" / "common"
CLI = ROOT / "cli" / "aero2"
AREAS = [
    *sorted(path for path in SERVICES.iterdir() if (path / "__init__.py").exists()),
    COMMON,
    CLI,
]
"""The packages of the product: rules about style are checked one by one."""

WITH_TABLES = ("identity", "oidc", "rbac", "tenancy")
"""Services that answer contracts; the gateway only asks."""

STATEMENT = re.compile(
    r"^\s*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|MERGE\s+INTO|TRUNCATE"
    r"|LOCK\s+TABLE|CALL)\s",
)
"""SQL keywords are written in capitals here: prose that begins with `Update …` is no statement."""

JOBS_OF = {
    "identity": ["sweep", "mail", "relay", "search"],
    "oidc": ["sweep", "logout"],
    "tenancy": ["sweep", "upkeep"],
}


@dataclass(frozen=True)
class Statement:
    """A SQL statement and where it stands."""

    file: Path
    line: int
    sql: str
    name: str = ""
    """Of the constant that an import of the module computes."""

    @property
    def where(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} {self.name}".strip()

    @property
    def service(self) -> str | None:
        """The service it belongs to; None in libs/common."""
        parts = self.file.relative_to(ROOT).parts
        return parts[1] if parts[0] == "services" else None

    @property
    def any_tenant(self) -> bool:
        return re.search(r"--\s*any-tenant:\s*\S", self.sql) is not None

    @property
    def roles(self) -> list[str]:
        """The services and jobs with whose roles it runs; if it is about all applications, one of them.

        `-- by-upkeep: why` marks what a service runs with the role of that job, `-- by-services:` what
        each of them runs with its own, though it belongs to no application."""
        if "-- by-services:" in self.sql:
            return ["tenancy", "identity", "oidc", "rbac"]
        if "-- by-upkeep:" in self.sql:
            return ["upkeep"]
        if self.service is None:
            return ["relay"] if self.any_tenant else ["tenancy", "identity", "oidc", "rbac"]
        return [self.service, *JOBS_OF.get(self.service, ())] if self.any_tenant else [self.service]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


def where(file: Path) -> str:
    """The path from the root of the repository."""
    return str(file.relative_to(ROOT))


def modules(*roots: Path) -> list[Path]:
    return sorted(file for root in roots for file in root.rglob("*.py"))


@cache
def statements(*roots: Path) -> tuple[Statement, ...]:
    """Returns every statement of the modules below the roots. Several rules read them."""
    return tuple(_statements(*roots))


def _statements(*roots: Path) -> Iterator[Statement]:
    """Every literal that is a statement, with the constants that it names filled in and its named
    parameters numbered, and every statement in a dictionary that a module of queries computes.

    A statement built from anything else is refused by a rule of its own."""
    for file in modules(*roots):
        inside = computed(file)
        for node in ast.walk(tree(file)):
            text = literal(node, constants(file))
            if text is None or not STATEMENT.match(text):
                continue
            if id(node) not in parts(file) and id(node) not in inside:
                classes = parameter_classes(file).get(id(node))
                if classes:
                    text = numbered(text, *classes)
                yield Statement(file, node.lineno, text)  # type: ignore[attr-defined]
        yield from _computed_statements(file)


def computed(file: Path) -> frozenset[int]:
    """The nodes of dictionaries of statements that a module of queries computes, key by key."""
    return frozenset(id(below) for node in _computations(file) for below in ast.walk(node))


def _computations(file: Path) -> list[ast.stmt]:
    if "queries" not in file.parts:
        return []
    return [node for node in tree(file).body if isinstance(_assignment(node)[1], ast.DictComp)]


def _computed_statements(file: Path) -> Iterator[Statement]:
    for node in _computations(file):
        module = importlib.import_module(module_name(file))
        name = _assignment(node)[0]
        for path, text in _texts(getattr(module, name, None), name):
            if STATEMENT.match(text):
                yield Statement(file, node.lineno, text, path)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """The texts in a string, a dictionary or a dataclass, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, f"{path}.{key}")
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name), f"{path}.{field.name}")


@cache
def parameter_classes(file: Path) -> dict[int, list[type[tuple[Any, ...]]]]:
    """Of each statement in a call of `numbered`: the classes that name its parameters."""
    found: dict[int, list[type[tuple[Any, ...]]]] = {}
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and _called(node) == "numbered":
            statement, *names = node.args
            module = importlib.import_module(module_name(file))
            found[id(statement)] = [getattr(module, ast.unparse(name)) for name in names]
    return found


def module_name(file: Path) -> str:
    """The name by which a file of the product is imported."""
    root = next(root for root in (SERVICES, COMMON.parent, CLI.parent) if root in file.parents)
    return ".".join(file.relative_to(root).with_suffix("").parts)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


@cache
def parts(file: Path) -> frozenset[int]:
    """The pieces of f-strings, which are no statements of their own."""
    return frozenset(
        id(v) for n in ast.walk(tree(file)) if isinstance(n, ast.JoinedStr) for v in n.values
    )


def literal(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """The text of a string literal, or of an f-string that names constants only; else None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    texts = [_piece(piece, names) for piece in node.values]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _piece(piece: ast.expr, names: Mapping[str, str]) -> str | None:
    if isinstance(piece, ast.Constant):
        return str(piece.value)
    if not isinstance(piece, ast.FormattedValue) or piece.format_spec or piece.conversion != -1:
        return None
    value = piece.value
    if isinstance(value, ast.Call) and _called(value) == "qualified":
        alias, columns = literal(value.args[0], names), names.get(ast.unparse(value.args[1]))
        return None if alias is None or columns is None else _qualified(alias, columns)
    return names.get(ast.unparse(value))


def _qualified(alias: str, columns: str) -> str:
    return qualified(alias, columns)


@cache
def constants(file: Path) -> dict[str, str]:
    """Column lists and predicates: constants of the module in capitals, and imported ones."""
    names: dict[str, str] = {}
    for node in tree(file).body:
        if isinstance(node, ast.ImportFrom) and (source := _module_file(node.module or "")):
            theirs = constants(source)
            names |= {a.asname or a.name: theirs[a.name] for a in node.names if a.name in theirs}
        target, value = _assignment(node)
        if target and target.isupper() and (text := literal(value, names)) is not None:
            names[target] = text
    return names


def _assignment(node: ast.stmt) -> tuple[str, ast.AST]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return "", node


def _module_file(name: str) -> Path | None:
    """The source of one of our modules."""
    for root in (SERVICES, COMMON.parent):
        file = root / (name.replace(".", "/") + ".py")
        if file.is_file():
            return file
    return None


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
