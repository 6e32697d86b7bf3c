"""Codes of field errors: each is in the tables, used, documented, and has a text on the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from string import Formatter

import pytest
from tests.architecture.source import CLI, COMMON, ROOT, SERVICES, tree

from aero2.error_catalogue import error_catalogue
from common.field_errors import MESSAGES
from common.rule_error_codes import RULE_ERRORS
from common.value_error_codes import PATTERNS, PYDANTIC_ERRORS, VALUE_ERRORS
from gateway.pages.languages import OFFERED, SOURCE, language

MAKERS = {"field_error": 1, "value_error": 0, "UnknownHash": 0}
"""What makes a field error, with the place of the code among its arguments."""
TABLES = {"value_error_codes.py", "rule_error_codes.py"}
SOURCES = [
    file
    for folder in (SERVICES, COMMON, CLI)
    for file in sorted(folder.rglob("*.py"))
    if file.name not in TABLES
]


def names(message: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(message) if name}


def mistakes(module: ast.Module) -> Iterator[str]:
    """Calls with a code that no table has, or with other parameters than its message names."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = MAKERS.get(node.func.id)
        if place is None or len(node.args) <= place:
            continue
        argument = node.args[place]
        if isinstance(argument, ast.Constant):
            code = str(argument.value)
            sent = {keyword.arg for keyword in node.keywords}
            if code not in MESSAGES:
                yield f"{node.lineno}: there is no code {code}"
            elif sent != names(MESSAGES[code]):
                yield f"{node.lineno}: {code} has other parameters than {sorted(map(str, sent))}"


def unused(codes: Iterable[str], modules: Iterable[ast.Module]) -> set[str]:
    """The codes that no text of the modules is."""
    texts, patterns = set(), []
    for node in (node for module in modules for node in ast.walk(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+"
                for part in node.values
            ]
            patterns.append(re.compile("".join(map(str, parts))))
    patterns = [
        pattern for pattern in patterns if re.search("[a-z]{3}_|_[a-z]{3}", pattern.pattern)
    ]
    return {
        code
        for code in codes
        if code not in texts and not any(pattern.fullmatch(code) for pattern in patterns)
    }


def test_codes_are_in_the_tables() -> None:
    """A code that is written out has a message, and the call gives the parameters it names."""
    found = {str(file.relative_to(ROOT)): list(mistakes(tree(file))) for file in SOURCES}

    assert {file: wrong for file, wrong in found.items() if wrong} == {}


def test_the_check_of_calls_finds_mistakes() -> None:
    """A bad sample of each kind."""
    for source in (
        "field_error('name', 'no_such_code')",
        "field_error('password', 'password_too_short')",
        "value_error('blank', maximum=3)",
    ):
        assert len(list(mistakes(ast.parse(source)))) == 1, source
    assert list(mistakes(ast.parse("field_error('x', 'password_too_short', minimum=8)"))) == []


def test_codes_are_used() -> None:
    """No table has a code that nothing raises."""
    raised = set(PYDANTIC_ERRORS.values()) | set(PATTERNS.values())

    assert unused(MESSAGES.keys() - raised, [tree(file) for file in SOURCES]) == set()
    assert unused(["never_raised"], [ast.parse("field_error('a', 'blank')")]) == {"never_raised"}


def test_codes_are_snake_case_and_stand_once() -> None:
    """Each code is in one table, and each message is a sentence of at most 20 words."""
    assert VALUE_ERRORS.keys() & RULE_ERRORS.keys() == set()
    for code, message in MESSAGES.items():
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", code), code
        for sentence in re.split(r"(?<=\.) ", message):
            assert len(sentence.split()) <= 20, code


@pytest.mark.parametrize("locale", OFFERED)
def test_pages_have_a_text_for_every_code(locale: str) -> None:
    """In each language, with the same parameters."""
    words = language(locale)
    for code, message in MESSAGES.items():
        text = words.translate(message)
        assert names(text) == names(message), code
        assert locale == SOURCE or text != message, f"{code}: run `make words`, then translate"


def test_the_document_is_current() -> None:
    """docs/errors.md is what `make errors` writes."""
    assert (ROOT / "docs" / "errors.md").read_text() == error_catalogue(), "run `make errors`"
