"""Each kind of hashed secret either goes along with an exported application, or stays for a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import COMMON, SERVICES, modules, tree

from aero2.transfers.recognition import LOOKED_UP, NAMES, STAYS

MAKING = ("session-of-form", "proof", "refresh-child", "jti", "code-of-request", "logout-question")
"""Digests that make something, or are compared within one deployment: they are never looked up."""
USUAL = ("PURPOSE", "LABEL")
"""Names of constants with a label."""
NEVER = {*MAKING, "cursor", "audit user", "dpop-nonce"}


def constants(module: ast.Module) -> dict[str, str]:
    """Returns the texts that a module gives names, and those that it imports from another of ours."""
    named: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and any(each.name in USUAL for each in node.names):
            file = SERVICES / f"{(node.module or '').replace('.', '/')}.py"
            named |= {name: text for name, text in constants(tree(file)).items() if name in USUAL}
        elif isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named |= {
                each.id: str(node.value.value) for each in targets if isinstance(each, ast.Name)
            }
    return named


def labels(module: ast.Module, methods: tuple[str, ...]) -> Iterator[str]:
    """Yields the labels of digests that a module makes: the first argument of `keys.hash(…)`."""
    named = constants(module)
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in methods
            and ast.unparse(node.func.value).endswith("keys")
            and node.args
        ):
            label = node.args[0]
            if isinstance(label, ast.Constant):
                yield str(label.value)
            elif isinstance(label, ast.Name) and label.id in named:
                yield named[label.id]


def test_every_hash_is_classified() -> None:
    """A new kind of hash needs an entry in cli/aero2/transfers/recognition.py."""
    files = modules(SERVICES, COMMON)
    hashed = {label for file in files for label in labels(tree(file), ("hash", "hashes"))}
    assert hashed == LOOKED_UP | set(STAYS)
    assert LOOKED_UP & set(STAYS) == set()
    digested = {label for file in files for label in labels(tree(file), ("digest",))}
    assert digested == NEVER | set(NAMES)
    assert NEVER & (LOOKED_UP | set(NAMES)) == set()


def test_the_rule_sees_labels() -> None:
    """As text, and as a constant of the module."""
    module = ast.parse(
        'PURPOSE = "a"\nkeys.hash(PURPOSE, x)\ndeps.keys.hashes("b", x)\nother.hash("c")'
    )
    assert sorted(labels(module, ("hash", "hashes"))) == ["a", "b"]
