"""Modules stay small, form no circle and are found by their names."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.architecture.source import AREAS, CLI, COMMON, SERVICES, STATEMENT, modules, tree, where

FILE_LINES = 250
FUNCTION_LINES = 40
POSITIONAL = 4


per_area = pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)

# Size


def long_functions(module: ast.Module) -> Iterator[str]:
    """Functions of more than 40 lines. Docstrings and SQL literals are not counted."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1 - _literal_lines(node)
            if lines > FUNCTION_LINES:
                yield f"{node.lineno} {node.name}: {lines} lines"


def _literal_lines(function: ast.AST) -> int:
    """Lines inside docstrings and statements."""
    return sum(
        (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(function)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (node.end_lineno or 0) > node.lineno
        and (STATEMENT.match(node.value) or node is _docstring(function))
    )


def _docstring(node: ast.AST) -> ast.AST | None:
    body = getattr(node, "body", None)
    if body and isinstance(body[0], ast.Expr):
        return body[0].value
    return None


def crowded(module: ast.Module) -> Iterator[str]:
    """Functions with more than four positional parameters, not counting self and cls."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            count = len([name for name in names if name not in ("self", "cls")])
            if count > POSITIONAL:
                yield f"{node.lineno} {node.name}: {count} positional parameters"


@per_area
def test_a_file_has_one_subject(area: Path) -> None:
    """No module has more than 250 lines."""
    sizes = {where(file): len(file.read_text().splitlines()) for file in modules(area)}

    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


@per_area
def test_a_function_fits_on_a_screen(area: Path) -> None:
    """No function has more than 40 lines."""
    assert [f"{where(f)}:{found}" for f in modules(area) for found in long_functions(tree(f))] == []


@per_area
def test_parameters_are_named_at_the_call(area: Path) -> None:
    """A fifth argument is passed by name."""
    assert [f"{where(f)}:{found}" for f in modules(area) for found in crowded(tree(f))] == []


def test_the_rules_see_size() -> None:
    """A long function and five positional parameters are refused; SQL and docstrings are not."""
    long = "def f():\n" + "    a()\n" * 40
    sql = 'def f():\n    return """\n        SELECT 1\n' + "        \n" * 50 + '        """\n'

    assert list(long_functions(ast.parse(long))) == ["1 f: 41 lines"]
    assert list(long_functions(ast.parse(sql))) == []
    assert list(crowded(ast.parse("def f(self, a, b, c, d, e): ..."))) != []
    assert list(crowded(ast.parse("def f(self, a, b, c, d, *, e): ..."))) == []


# Circles


def imports(module: ast.Module) -> set[str]:
    """Every module a source names in an import, wherever it stands, also for types only."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def circles(sources: dict[str, ast.Module]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others."""
    graph = {
        name: {n for n in imports(module) if n in sources and n != name and not _holds(n, name)}
        for name, module in sources.items()
    }
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def _holds(package: str, module: str) -> bool:
    """Whether a module stands in the package: Python runs the package first in any case."""
    return module.startswith(f"{package}.")


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def dotted(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("root", [SERVICES, COMMON.parent, CLI.parent], ids=lambda root: root.name)
def test_no_import_circle(root: Path) -> None:
    """Modules form no circle, not even by imports that only types need."""
    assert circles({dotted(file, root): tree(file) for file in modules(root)}) == []


def test_the_rule_sees_a_circle() -> None:
    """A circle over three modules is found, and a chain is not."""
    sources = {"s.a": "from s import b", "s.b": "from s.c import x", "s.c": "import s.a"}
    ring = {name: ast.parse(text) for name, text in sources.items()}

    assert circles(ring) == [["s.a", "s.b", "s.c"]]
    assert circles(ring | {"s.c": ast.parse("")}) == []


# Names of files and classes

EVERYWHERE = {"__init__", "__main__", "settings", "deps", "handlers", "jobs"}
"""Modules that every service has, with the same contents."""
SAME_NOUN = {"sweeps", "queries", "audit", "outbox"}
"""Modules of two services about the same noun, each for its own tables."""


def homonyms(files: Iterable[tuple[str, str]]) -> set[str]:
    """Stems that stand in two services, or in a service and in common. Pairs of package and stem."""
    places = {pair for pair in files if pair[1] not in EVERYWHERE}
    count = Counter(stem for _, stem in places)
    return {stem for stem, number in count.items() if number > 1}


def test_a_file_name_means_one_noun() -> None:
    """The handlers' modules of two services, or of common, do not share a name."""
    files = [
        (file.parent.name, file.stem)
        for root in (COMMON, *(SERVICES / name for name in ("identity", "oidc", "rbac", "tenancy")))
        for file in root.glob("*.py")
    ]

    assert homonyms(files) - SAME_NOUN == set()


def test_the_rule_sees_a_homonym() -> None:
    """Two services with a `transfer` each are found."""
    assert homonyms([("a", "transfer"), ("b", "transfer"), ("a", "deps"), ("b", "deps")]) == {
        "transfer"
    }


def class_names(root: Path) -> set[tuple[str, str]]:
    return {
        (dotted(file, root), node.name)
        for file in modules(root)
        for node in tree(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def test_a_class_name_stands_once() -> None:
    """One name, one class, in all services and common. Every service has its Deps and Settings."""
    places = class_names(SERVICES) | class_names(COMMON.parent)
    count = Counter(name for _, name in places)
    shared = {name for name, number in count.items() if number > 1} - {"Deps", "Settings"}

    assert sorted(place for place in places if place[1] in shared) == []


# Magic names


def magic_names(module: ast.Module) -> Iterator[str]:
    """Constants that are looked for in modules by name: getattr(module, "ROUTES")."""
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr")
            and isinstance(node.args[1], ast.Constant)
            and "module" in ast.unparse(node.args[0])
        ):
            yield f"{node.lineno} {ast.unparse(node)}"


@per_area
def test_no_module_is_read_by_magic_names(area: Path) -> None:
    """What a module offers is a typed object that its reader imports."""
    assert [f"{where(f)}:{found}" for f in modules(area) for found in magic_names(tree(f))] == []


def test_the_rule_sees_a_magic_name() -> None:
    """A constant looked for by name in a module is found."""
    assert list(magic_names(ast.parse('getattr(module, "HOT", {})'))) != []
    assert list(magic_names(ast.parse('getattr(route, "path", "/")'))) == []
