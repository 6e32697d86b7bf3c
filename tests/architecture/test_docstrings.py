"""What is public says what it does: it begins with a verb or an article."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import COMMON, SERVICES, modules, tree, where

BEGINNING = re.compile(r"(?:A|An|The|Each|Every|All|One|No|[A-Z][a-z]+s)\b(?!')")
"""An article, a quantity or a verb in the third person."""
NOT_VERBS = {"This", "Its", "Theirs", "Yes", "Always", "Perhaps", "Besides"}


def public_functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of the module and methods of its classes whose names have no underscore."""
    owners: list[ast.Module | ast.ClassDef] = [module]
    owners += [node for node in module.body if isinstance(node, ast.ClassDef)]
    for owner in owners:
        if isinstance(owner, ast.ClassDef) and owner.name.startswith("_"):
            continue
        for node in owner.body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and not _is_property(node)
            ):
                yield node


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return bool(names & {"property", "cached_property", "setter", "overload"})


def silent(module: ast.Module) -> Iterator[str]:
    """Public functions without a docstring, or with one that begins otherwise."""
    for node in public_functions(module):
        text = ast.get_docstring(node)
        if text is None:
            yield f"{node.lineno} {node.name}: no docstring"
        elif not BEGINNING.match(text) or text.split()[0].strip(".,:") in NOT_VERBS:
            yield f"{node.lineno} {node.name}: {text[:50]}"


AREAS = [COMMON, *(SERVICES / name for name in ("identity", "oidc", "rbac", "tenancy"))]


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_public_functions_say_what_they_do(area: Path) -> None:
    """Common, contracts, handlers and queries: every public function has such a docstring."""
    assert [f"{where(file)}:{bad}" for file in modules(area) for bad in silent(tree(file))] == []


@pytest.mark.parametrize(
    "source", ["def get(): ...", 'def get():\n    """Who is there."""', 'def f():\n    """This."""']
)
def test_the_rule_sees_a_silent_function(source: str) -> None:
    """A function without a docstring and one that begins with a pronoun are found."""
    assert list(silent(ast.parse(source))) != []


@pytest.mark.parametrize("text", ["Returns the user.", "A user's row.", "The row, or None."])
def test_the_rule_accepts(text: str) -> None:
    """A verb in the third person and an article."""
    assert list(silent(ast.parse(f'def f():\n    """{text}"""'))) == []
