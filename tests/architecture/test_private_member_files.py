"""Private members of packages are used only in files that say so.

A package may change them in any version. They stand in a few files, each with a test that says which member
has changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.architecture.source import CLI, COMMON, ROOT, SERVICES, modules, tree

FILES = {
    "libs/common/asyncpg_private.py",
    "libs/common/nats_client.py",
    "libs/common/nats_private.py",
    "libs/common/nats_sender.py",
}
"""Their test is tests/unit/common/test_private_members.py."""

GATEWAY = {"services/gateway/http/uvicorn_private.py"}
"""Its test is tests/unit/gateway/test_private_members.py."""

DOCUMENTED = {"_asdict", "_replace", "_fields", "_make", "_exit"}
"""Names that begin with an underscore and are documented (namedtuple, os)."""


def borrowed(module: ast.Module) -> Iterator[str]:
    """The private members that a module uses and does not define: `thing._name`, `self._name` of a
    base class in another module, `getattr(thing, "_name")`, and imports of private modules and names."""
    own = set(_defined(module))
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr"):
            names = [str(arg.value) for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
        else:
            continue
        yield from (name for name in names if _private(name) and name not in own)


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


def _defined(module: ast.Module) -> Iterator[str]:
    """Names that a module defines itself: functions, classes, variables, and attributes of self. What
    it only declares for mypy, another defines."""
    declared = {
        id(child)
        for node in ast.walk(module)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(module):
        if id(node) in declared:
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) in ("self", "cls")
        ):
            yield node.attr


def test_private_members_of_packages_are_used_in_listed_files() -> None:
    """Other files use a public way, or the member moves into a listed file."""
    others = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in modules(SERVICES, COMMON, CLI)
        if str(file.relative_to(ROOT)) not in FILES | GATEWAY
        for name in borrowed(tree(file))
    ]

    assert others == []


@pytest.mark.parametrize("file", sorted(FILES | GATEWAY))
def test_listed_files_use_private_members(file: str) -> None:
    """A file without private members is removed from the list."""
    assert list(borrowed(tree(ROOT / file)))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import nats\nnats.connect()._flush_pending()", ["_flush_pending"]),
        ("class Ours(Theirs):\n    def f(self): return self._secret", ["_secret"]),
        ("class Ours:\n    def f(self): self._own = 1\nprint(Ours()._own)", []),
        (
            "class Ours(Theirs):\n    if TYPE_CHECKING:\n        _kept: int\n"
            "    def f(self): return self._kept",
            ["_kept"],
        ),
        ("getattr(client, '_pool')", ["_pool"]),
        ("from uvicorn._types import Scope", ["_types"]),
        ("from httpx import _client", ["_client"]),
        ("import asyncpg._testbase", ["_testbase"]),
        ("row._asdict()", []),
    ],
)
def test_the_rule_catches(source: str, names: list[str]) -> None:
    """Each way to borrow a member."""
    assert list(borrowed(ast.parse(source))) == names
