"""Hosted pages explain every refusal of a service, and never say only "You may not do this"."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from common import contracts, problems
from common.contracts.base import Request
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.sign_in import SsoRequired
from common.problems import Invalid, Problem, RateLimited, Unauthenticated, Unavailable
from gateway import pages
from gateway.pages.form_sentences import SENTENCES

SAID = (*SENTENCES, Invalid, RateLimited, Unavailable)
"""Problems for which `errors_of` has a sentence."""
FRAMED = (FreshSignInNeeded, SsoRequired, Unauthenticated)
"""Problems that the frame of each page handles."""


def modules(package: ModuleType) -> list[ModuleType]:
    names = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [import_module(name.name) for name in names]


def classes(module: ModuleType, kind: type) -> Iterator[tuple[str, type]]:
    for name, found in vars(module).items():
        if inspect.isclass(found) and issubclass(found, kind):
            yield name, found


def test_every_refusal_has_words() -> None:
    """Each problem that a page's contract lists under "Raises" has a sentence, or the page handles
    it by name."""
    known = dict(
        pair for module in [*modules(contracts), problems] for pair in classes(module, Problem)
    )
    wordless = []
    for module in modules(pages):
        tree = ast.parse(inspect.getsource(module))
        handled = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for name, contract in classes(module, Request):
            raises = re.search(r"Raises (.*?)(?:\.|$)", inspect.getdoc(contract) or "", re.DOTALL)
            for problem in re.findall(r"[A-Z]\w+", raises[1] if raises else ""):
                kind = known.get(problem)
                if kind and not issubclass(kind, (*SAID, *FRAMED)) and problem not in handled:
                    wordless.append(f"{module.__name__}: {name} raises {problem}")

    assert wordless == []
