"""Names say what a thing is. Words without a meaning are refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import CLI, COMMON, SERVICES, contracts, modules, tree, where

EMPTY_FILES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "models",
    "types",
    "constants",
    "misc",
    "manager",
    "base_service",
}
EMPTY_CLASSES = re.compile(
    r"(?:Request|Response|Dto|DTO|Schema|Manager|Helper|Util|Utils|Impl|Repository|Service|Base)$"
)
ALLOWED = {
    "Request",
    "BadRequest",
    "GatewayRequest",
    "GatewayResponse",
    "AuthorizationRequest",
    "TokenRequest",
}
"""The word itself, the name of HTTP status 400, the gateway's HTTP request and response, and OAuth's term
(RFC 6749 section 4.1.1)."""


LOOSE_TODO = re.compile(r"#.*\b(?:TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b")


def ours() -> list[Path]:
    """Every module of the product."""
    return modules(SERVICES, COMMON, CLI)


def empty_classes(module: ast.Module) -> Iterator[str]:
    """Classes that are named after a role instead of a noun."""
    for node in ast.walk(module):
        if (
            isinstance(node, ast.ClassDef)
            and EMPTY_CLASSES.search(node.name)
            and node.name not in ALLOWED
        ):
            yield f"{node.lineno} {node.name}"


def loose_todos(text: str) -> list[int]:
    """Lines with a TODO that names no issue."""
    return [n for n, line in enumerate(text.splitlines(), 1) if LOOSE_TODO.search(line)]


def test_no_file_is_named_after_nothing() -> None:
    """A file has the name of its noun."""
    assert [where(file) for file in ours() if file.stem in EMPTY_FILES] == []


def test_no_class_is_named_after_its_role() -> None:
    """`CreateUser` and `User`, not `CreateUserRequest` and `UserDto`."""
    assert [f"{where(f)}:{bad}" for f in ours() for bad in empty_classes(tree(f))] == []


def test_todo_names_its_issue() -> None:
    """A TODO names its issue, as in `TODO(#n)`."""
    assert [f"{where(f)}:{n}" for f in ours() for n in loose_todos(f.read_text())] == []


@pytest.mark.parametrize("name", ["UserDto", "KeyManager", "TokenHelper", "CreateUserRequest"])
def test_the_rule_sees_an_empty_class(name: str) -> None:
    """A role at the end of a class name is found."""
    assert list(empty_classes(ast.parse(f"class {name}: ..."))) == [f"1 {name}"]


def test_the_rule_sees_a_loose_todo() -> None:
    """A TODO without a number is found."""
    assert loose_todos("a\nb  # TODO: later\nc  # TODO(#12): then") == [2]


@pytest.mark.parametrize("subject", contracts())
def test_a_subject_is_service_noun_verb(subject: str) -> None:
    """`<service>.<noun>.<verb>`, lower case, letters that ADR-6 of NATS allows."""
    assert re.fullmatch(r"(identity|oidc|rbac|tenancy)\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", subject)
