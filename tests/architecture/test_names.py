"""Names say what a thing is. The words below say nothing."""

from __future__ import annotations

import ast
import re

import pytest
from tests.architecture.source import CLI, COMMON, ROOT, SERVICES, contracts, modules, tree

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
ALLOWED = {"Request", "BadRequest", "GatewayRequest", "GatewayResponse", "AuthorizationRequest"}
"""The word itself, the name of HTTP status 400, the gateway's HTTP request and response, and OAuth's term
(RFC 6749 section 4.1.1)."""


def ours() -> list:  # type: ignore[type-arg]
    return modules(SERVICES, COMMON, CLI)


def test_no_file_is_named_after_nothing() -> None:
    """A file is named after its noun."""
    bad = [str(file.relative_to(ROOT)) for file in ours() if file.stem in EMPTY_FILES]

    assert bad == []


def test_no_class_is_named_after_its_role() -> None:
    """`CreateUser` and `User`, not `CreateUserRequest` and `UserDto`."""
    bad = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
        for file in ours()
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ClassDef)
        and EMPTY_CLASSES.search(node.name)
        and node.name not in ALLOWED
    ]

    assert bad == []


def test_todo_names_its_issue() -> None:
    """`TODO(#n)` only: anything else is forgotten."""
    loose = re.compile(r"#.*\b(?:TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b")
    bad = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in ours()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if loose.search(line)
    ]

    assert bad == []


@pytest.mark.parametrize("subject", contracts())
def test_a_subject_is_service_noun_verb(subject: str) -> None:
    """`<service>.<noun>.<verb>`, lower case, letters that ADR-6 of NATS allows."""
    assert re.fullmatch(r"(identity|oidc|rbac|tenancy)\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", subject)
