"""Finds the contracts that code names, and which of them it sends as the system."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeGuard

PACKAGE: Final = "common.contracts"
SENDERS: Final = frozenset({"call", "raw"})
"""Methods of the bus: a context, then a request."""
MARKS: Final = frozenset({"as_system", "system_context", "SYSTEM_CALLER"})
"""Names that make a context of the system."""

Pair = tuple[str, str]
"""Module and name: two services may each have a contract of one name."""
Bound = dict[str, list[ast.expr]]
"""By name: the expressions that a function assigns to it."""


@dataclass(frozen=True)
class ContractUses:
    """The contracts that a service's code uses, by kind of use. A contract that is sent as the
    system and for a caller is in both sets."""

    as_system: frozenset[Pair]
    otherwise: frozenset[Pair]


def contract_uses(file: Path) -> ContractUses:
    """Returns the contracts that a file takes from the modules of contracts."""
    return _named(file.read_bytes())


@lru_cache(
    maxsize=4096
)  # more than there are files: the least recent would always be asked for next
def _named(source: bytes) -> ContractUses:
    """The same for the file's content: what all services share is asked for by each of them."""
    if PACKAGE.encode() not in source:
        return ContractUses(frozenset(), frozenset())
    nodes = list(ast.walk(ast.parse(source)))
    imported, modules = _imports(nodes)
    has_marks = any(mark.encode() in source for mark in MARKS)
    sent = {id(node) for node in _sent_as_system(nodes)} if has_marks else set()
    as_system: set[Pair] = set()
    otherwise: set[Pair] = set()
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in imported:
            pair = imported[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            pair = (modules.get(node.value.id, ""), node.attr)
        else:
            continue
        (as_system if id(node) in sent else otherwise).add(pair)
    unused = set(imported.values()) - as_system - otherwise  # imported for others to import
    return ContractUses(frozenset(as_system), frozenset(otherwise | unused))


def _imports(nodes: list[ast.AST]) -> tuple[dict[str, Pair], dict[str, str]]:
    """Local name to contract, and local name to module of contracts."""
    names: dict[str, Pair] = {}
    modules: dict[str, str] = {}
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == PACKAGE:
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif node.module.startswith(f"{PACKAGE}."):
            module = node.module.rpartition(".")[2]
            names |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
    return names, modules


def _sent_as_system(nodes: list[ast.AST]) -> Iterator[ast.expr]:
    """Yields the nodes that name the class of a request that is sent with a context of the system.
    Names are followed within a function; a request that a function gets as a parameter is not
    found, so its contract has to be one that needs SYSTEM."""
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    makers = MARKS | {
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value and _mentions(node.value, MARKS)
    }
    for function in functions:
        bound = _bound(function)
        for node in ast.walk(function):
            if _sends(node) and _of_system(node.args[0], bound, makers, set()):
                yield from _classes(node.args[1], bound, set())


def _sends(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SENDERS
        and len(node.args) > 1
    )


def _mentions(node: ast.AST, words: frozenset[str] | set[str]) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id in words)
        or (isinstance(part, ast.Attribute) and part.attr in words)
        for part in ast.walk(node)
    )


def _bound(function: ast.AST) -> Bound:
    bound: Bound = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                targets = [target]
            case ast.NamedExpr(target=target, value=value):
                targets = [target]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                targets = [target]
            case _:
                continue
        for name in (part for target in targets for part in ast.walk(target)):
            if isinstance(name, ast.Name):
                bound.setdefault(name.id, []).append(value)
    return bound


def _of_system(node: ast.expr, bound: Bound, makers: frozenset[str], seen: set[str]) -> bool:
    """Whether the context is, or may be, one of the system."""
    if _mentions(node, makers):
        return True
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} - seen
    seen |= names
    values = [value for name in names for value in bound.get(name, []) if not _is_reply(value)]
    return any(_of_system(value, bound, makers, seen) for value in values)


def _is_reply(node: ast.expr) -> bool:
    """Whether the value is the answer to a call. A context for a caller may contain parts of it."""
    return isinstance(node, ast.Await) and _sends(node.value)


def _classes(node: ast.expr, bound: Bound, seen: set[str]) -> Iterator[ast.expr]:
    """The nodes that name the class of the request: never those of its fields' values."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name)) as func) if name in bound:
            yield func
            yield from _classes(func.value, bound, seen)  # request.model_copy(…)
        case ast.Call(func=func):
            yield func
        case ast.Name(id=name) if name not in seen:
            seen.add(name)
            yield node
            for value in bound.get(name, []):
                yield from _classes(value, bound, seen)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _classes(part, bound, seen)
        case ast.IfExp(body=one, orelse=other):
            yield from _classes(one, bound, seen)
            yield from _classes(other, bound, seen)
