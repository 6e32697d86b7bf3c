"""Every contract has one handler, in its own service, and needs a right."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

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
    where,
)

from common.contracts.base import KNOWN, SIGNED_IN, SYSTEM, Contract, Done, Request
from common.contracts.base import OPEN as ANYBODY
from common.contracts.keys import EnsureKeys, RotateKeys


def test_handlers_answer_only_what_is_theirs() -> None:
    """Only the service that a contract's subject names answers it."""
    foreign = [
        f"{service} answers {contract.subject}"
        for service in landed()
        for contract in handlers(service)
        if contract.subject.split(".")[0] != service
    ]

    assert foreign == []


@pytest.mark.parametrize("service", WITH_TABLES)
def test_every_contract_is_answered(service: str) -> None:
    """Every declared contract has a handler."""
    served = {contract.subject for contract in handlers(service)}
    declared = {subject for subject in contracts() if subject.startswith(f"{service}.")}

    assert sorted(declared - served) == []
    assert sorted(served - declared) == []


def test_there_are_handlers() -> None:
    """The other rules would pass without any handler."""
    assert landed() == list(WITH_TABLES)
    for service in WITH_TABLES:
        assert len(handlers(service)) >= 3, service


def test_open_contracts_stand_in_the_list() -> None:
    """A contract without a right is in the list, which says what protects it."""
    open_subjects = [name for name, contract in contracts().items() if contract.needs is ANYBODY]

    assert sorted(open_subjects) == sorted(OPEN)


def well_named(needs: str | None) -> bool:
    """Tells if it is `<resource>:<action>`, SIGNED_IN, KNOWN, SYSTEM or open."""
    if needs in (SIGNED_IN, KNOWN, SYSTEM, None):
        return True
    resource, _, action = (needs or "").partition(":")
    return resource.isidentifier() and action.replace(":", "").isidentifier()


@pytest.mark.parametrize("subject", contracts())
def test_needs_is_a_permission_or_a_known_word(subject: str) -> None:
    """`<resource>:<action>`, SIGNED_IN, KNOWN, SYSTEM, or open by the list."""
    assert well_named(contracts()[subject].needs)


SECRET = ("password", "secret", "token", "code", "key", "cookie")


def printed_secrets(contract: type[Contract]) -> list[str]:
    """Fields that carry a secret and would stand in logs and tracebacks."""
    return [
        name
        for name, field in contract.model_fields.items()
        if name in SECRET and field.repr and field.annotation in (str, str | None)
    ]


@pytest.mark.parametrize("subject", contracts())
def test_secrets_are_not_printed(subject: str) -> None:
    """A field that carries a secret has `repr=False`."""
    assert printed_secrets(contracts()[subject]) == []


def misshapen(handler: Any, contract: type[Request[Any]]) -> bool:
    """Tells if it is anything but `async def verb(deps, ctx, request) -> reply`."""
    hints = get_type_hints(inspect.unwrap(handler))
    parameters = list(inspect.signature(handler).parameters)
    third = hints.get(parameters[2]) if len(parameters) == 3 else None
    reply = hints.get("return")
    takes = third is contract or contract in get_args(third)
    answers = isinstance(reply, type) and issubclass(reply, contract.reply)
    return not (takes and answers and inspect.iscoroutinefunction(inspect.unwrap(handler)))


@pytest.mark.parametrize("service", landed())
def test_handlers_have_the_one_shape(service: str) -> None:
    """`async def verb(deps, ctx, request) -> reply`, with the contract's own types."""
    assert [c.subject for c, handler in handlers(service).items() if misshapen(handler, c)] == []


def calls_to_itself(module: ast.Module, own: set[str], *, tenants: bool) -> Iterator[int]:
    """Returns lines that send the service's own contracts over the bus. `tenants` also counts: the
    cache of tenants calls tenancy."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        contracts_ = {
            each.func.id
            for argument in node.args
            for each in ast.walk(argument)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
        }
        function = ast.unparse(node.func)
        cached = tenants and function == "deps.tenants.get"
        if (function.endswith("bus.call") and contracts_ & own) or cached:
            yield node.lineno


@pytest.mark.parametrize("service", landed())
def test_no_service_asks_itself_over_the_bus(service: str) -> None:
    """A service calls its own functions. It may not send its own contracts, and would wait for
    itself."""
    own = {contract.__name__ for contract in handlers(service)}

    assert [
        f"{where(file)}:{line}"
        for file in modules(SERVICES / service)
        for line in calls_to_itself(tree(file), own, tenants=service == "tenancy")
    ] == []


DATES = ("datetime", "AwareDatetime", "NaiveDatetime")


def unbounded_dates(module: ast.Module) -> list[int]:
    """Lines that name a date without bounds."""
    return [n.lineno for n in ast.walk(module) if isinstance(n, ast.Name) and n.id in DATES]


def test_contracts_bound_every_date() -> None:
    """A contract's dates are `Timestamp`s, because Postgres stores moments that Python cannot read."""
    assert [
        f"{where(file)}:{line}"
        for file in modules(COMMON / "contracts")
        if file.name != "fields.py"
        for line in unbounded_dates(tree(file))
    ] == []


def test_the_rules_see_bad_contracts() -> None:
    """A right without an action, a printed secret and a date without bounds are found."""

    class Loud(Contract):
        password: str

    assert not well_named("users")
    assert printed_secrets(Loud) == ["password"]
    assert unbounded_dates(ast.parse("class C:\n    at: datetime")) == [2]


def test_the_rules_see_bad_handlers() -> None:
    """A handler with a foreign type, and one that asks its own service, are found."""

    async def get(deps: Any, ctx: Any, request: RotateKeys) -> Done:
        return Done()

    def sync(deps: Any, ctx: Any, request: EnsureKeys) -> Done:
        return Done()

    call = "await deps.bus.call(ctx, EnsureKeys())"
    assert misshapen(get, EnsureKeys)
    assert misshapen(sync, EnsureKeys)
    assert list(calls_to_itself(ast.parse(call), {"EnsureKeys"}, tenants=False)) == [1]
    assert list(calls_to_itself(ast.parse(call), {"RotateKeys"}, tenants=False)) == []
