"""Every contract is answered once, by its owner, behind a right."""

from __future__ import annotations

import ast
import inspect
from typing import get_args, get_type_hints

import pytest
from tests.architecture.open_contracts import OPEN
from tests.architecture.source import (
    COMMON,
    SERVICES,
    WITH_TABLES,
    contracts,
    handlers,
    landed,
    modules,
    tree,
)

from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM
from common.contracts.base import OPEN as ANYBODY


def test_handlers_answer_only_what_is_theirs() -> None:
    """A contract is answered by the service that its subject names, and by that one alone."""
    foreign = [
        f"{service} answers {contract.subject}"
        for service in landed()
        for contract in handlers(service)
        if contract.subject.split(".")[0] != service
    ]

    assert foreign == []


@pytest.mark.parametrize("service", WITH_TABLES)
def test_every_contract_is_answered(service: str) -> None:
    """What is declared is served."""
    served = {contract.subject for contract in handlers(service)}
    declared = {subject for subject in contracts() if subject.startswith(f"{service}.")}

    assert sorted(declared - served) == []
    assert sorted(served - declared) == []


def test_there_are_handlers() -> None:
    """The guard against rules that look at nothing."""
    assert landed() == list(WITH_TABLES)
    for service in WITH_TABLES:
        assert len(handlers(service)) >= 3, service


def test_open_contracts_stand_in_the_list() -> None:
    """Nobody opens a contract without saying here what guards it."""
    found = {subject for subject, contract in contracts().items() if contract.needs is ANYBODY}

    assert sorted(found) == sorted(OPEN)


@pytest.mark.parametrize("subject", contracts())
def test_needs_is_a_permission_or_a_known_word(subject: str) -> None:
    """`<resource>:<action>`, SIGNED_IN, KNOWN, SYSTEM, or open by the list."""
    needs = contracts()[subject].needs
    if needs in (SIGNED_IN, KNOWN, SYSTEM, None):
        return
    resource, _, action = needs.partition(":")
    assert resource.isidentifier(), needs
    assert action.replace(":", "").isidentifier(), needs


@pytest.mark.parametrize("subject", contracts())
def test_secrets_are_not_printed(subject: str) -> None:
    """A field that carries a secret has `repr=False`: logs and tracebacks never show it."""
    secret = ("password", "secret", "token", "code", "key", "cookie")
    fields = contracts()[subject].model_fields
    loud = [
        name
        for name, field in fields.items()
        if name in secret and field.repr and field.annotation in (str, str | None)
    ]

    assert loud == []


@pytest.mark.parametrize("service", landed())
def test_handlers_have_the_one_shape(service: str) -> None:
    """`async def verb(deps, ctx, request) -> reply`, with the contract's own types."""
    wrong = []
    for contract, handler in handlers(service).items():
        hints = get_type_hints(inspect.unwrap(handler))
        parameters = list(inspect.signature(handler).parameters)
        asked, given = (
            hints.get(parameters[2]) if len(parameters) == 3 else None,
            hints.get("return"),
        )
        takes = asked is contract or contract in get_args(asked)
        answers = isinstance(given, type) and issubclass(given, contract.reply)
        if not (takes and answers and inspect.iscoroutinefunction(inspect.unwrap(handler))):
            wrong.append(f"{contract.subject}: {handler.__module__}.{handler.__qualname__}")

    assert wrong == []


@pytest.mark.parametrize("service", landed())
def test_nobody_asks_himself_over_the_bus(service: str) -> None:
    """A service calls its own function: on the bus it has no right to ask itself, and would wait."""
    own = {contract.__name__ for contract in handlers(service)}
    found = []
    for file in modules(SERVICES / service):
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            asked = {
                each.func.id
                for argument in node.args
                for each in ast.walk(argument)
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
            }
            over_the_bus = ast.unparse(node.func).endswith("bus.call")
            through_the_cache = (
                service == "tenancy" and ast.unparse(node.func) == "deps.tenants.get"
            )
            if (over_the_bus and asked & own) or through_the_cache:
                found.append(f"{file.name}:{node.lineno}")

    assert found == []


def test_contracts_bound_every_date() -> None:
    """A contract's dates are `Timestamp`s: Postgres stores moments that Python cannot read."""
    unbounded = [
        f"{file.name}:{node.lineno}"
        for file in modules(COMMON / "contracts")
        if file.name != "fields.py"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Name) and node.id in ("datetime", "AwareDatetime", "NaiveDatetime")
    ]

    assert unbounded == []
