"""Names a stranger would search for, and English that they understand at the first reading."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.architecture.source import AREAS, ROOT, SERVICES, modules, tree, where

PARTICIPLES = {
    "asked",
    "begun",
    "found",
    "given",
    "held",
    "known",
    "made",
    "shown",
    "taken",
    "told",
    "wanted",
}
"""Participles without their noun. They say that something happened, not what the thing is."""
SHORT = 5
"""A variable may bear such a name for as many lines: it is read at one glance."""

UNWELCOME = {
    r"\bhe\b|\bhis\b|\bhim\b|\bhimself\b": "they, their, them",
    r"\bwhoever\b|\bwhosoever\b": "anyone who, the user who",
    r"\banew\b": "again",
    r"\bin vain\b": "without result",
    r"\bbesides\b": "also, as well as",
    r"\bthence\b|\bhence\b|\bthereof\b|\bwherein\b|\bwhereof\b|\bthereby\b": "a plain word",
    r"\bbeget|\bbegot|\bgive[sn]? birth\b|\bgave birth\b": "creates",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair",
    r"\bnought\b|\bnaught\b|\baught\b": "nothing, anything",
    r"\bwhilst\b|\bamongst\b|\bunto\b|\bupon\b": "while, among, to, on",
    r"\bsieve\b|\bdemolition\b|\braz(?:e|es|ed|ing)\b|\bdoom(?:s|ed)?\b": "see docs/glossary.md",
}
RELATIVE = re.compile(r"^(?:Who|Whoever|Whatever|Whichever|What)\b(?![^.?!]*\?)")
"""A sentence that begins with a relative clause."""


per_area = pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)

# Names


def bare_participles(module: ast.Module) -> Iterator[str]:
    """Parameters, classes and long-lived variables that are a participle without its noun."""
    for node in ast.walk(module):
        if isinstance(node, ast.arg) and node.arg in PARTICIPLES:
            yield f"{node.lineno} parameter {node.arg}"
        elif isinstance(node, ast.ClassDef) and node.name.lower() in PARTICIPLES:
            yield f"{node.lineno} class {node.name}"
        elif isinstance(node, ast.ClassDef):
            yield from _fields(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _variables(node)


def _fields(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id in PARTICIPLES
        ):
            yield f"{node.lineno} field {owner.name}.{node.target.id}"


def _variables(function: ast.AST) -> Iterator[str]:
    lines: dict[str, list[int]] = {}
    stored: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in PARTICIPLES:
            lines.setdefault(node.id, []).append(node.lineno)
            if isinstance(node.ctx, ast.Store):
                stored.add(node.id)
    for name in sorted(stored):
        if max(lines[name]) - min(lines[name]) >= SHORT:
            yield f"{min(lines[name])} variable {name}"


@per_area
def test_names_have_their_noun(area: Path) -> None:
    """`presented_token`, `client_row`, `request`: not `given`, `found`, `asked`."""
    assert [f"{where(f)}:{bad}" for f in modules(area) for bad in bare_participles(tree(f))] == []


@per_area
def test_files_have_their_noun(area: Path) -> None:
    """No module is a participle."""
    assert [where(file) for file in modules(area) if file.stem in PARTICIPLES] == []


@pytest.mark.parametrize(
    "source",
    [
        "def get(deps, ctx, asked): ...",
        "class Told: ...",
        "class Cache:\n    known: int",
        "def f():\n    found = 1\n" + "    g()\n" * 5 + "    return found",
    ],
)
def test_the_rule_sees_a_bare_participle(source: str) -> None:
    """A parameter, a class, a field and a variable that lives long are found."""
    assert list(bare_participles(ast.parse(source))) != []


def test_the_rule_leaves_a_short_variable() -> None:
    """A variable that is read at one glance may be short."""
    assert list(bare_participles(ast.parse("def f():\n    found = g()\n    return found"))) == []


# Prose


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """Comments and docstrings of a module, each with its first line."""
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")
    for node in ast.walk(tree(file)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def strings(file: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is a sentence: texts for people, and prose."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def unwelcome(text: str) -> list[str]:
    """The words in a text that another word should stand for."""
    plain = re.sub(r"`[^`]*`|\"[^\"\n]*\"|https?://\S+", "", text)
    return [
        match.group(0)
        for pattern in UNWELCOME
        for match in re.finditer(pattern, plain, re.IGNORECASE)
    ]


def documents() -> list[Path]:
    """What people read besides code: docs, the schema, templates and the English of pages."""
    generated = {"events.md"}
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "db").glob("*.sql")]
    files += [*SERVICES.rglob("*.html"), *(ROOT / "deploy").rglob("*.conf"), ROOT / "Makefile"]
    return [file for file in sorted(files) if file.name not in generated]


@pytest.mark.parametrize(
    "area", [*AREAS, ROOT / "bench", ROOT / "tests"], ids=lambda area: area.name
)
def test_code_speaks_plain_english(area: Path) -> None:
    """Comments, docstrings and texts of the product use today's words, and `they` for people."""
    bad = [
        f"{where(file)}:{line} {word}"
        for file in modules(area)
        if file != Path(__file__)
        for line, text in {*strings(file), *prose(file)}
        for word in unwelcome(text)
    ]

    assert sorted(set(bad)) == []


def test_documents_speak_plain_english() -> None:
    """Docs, schema, templates and configuration likewise."""
    bad = [
        f"{where(file)}:{number} {word}"
        for file in documents()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for word in unwelcome(line)
    ]

    assert bad == []


def relative(text: str) -> Iterator[str]:
    """Sentences of a text that begin with a relative clause."""
    flat = " ".join(text.split())
    for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", flat):
        if RELATIVE.match(sentence):
            yield sentence[:70]


@per_area
def test_sentences_begin_with_their_subject(area: Path) -> None:
    """No docstring or comment begins a sentence with a relative clause."""
    bad = [
        f"{where(file)}:{line} {sentence}"
        for file in modules(area)
        for line, text in prose(file)
        for sentence in relative(text)
    ]

    assert sorted(bad) == []


@pytest.mark.parametrize(
    "text", ["Sends him a mail.", "Whoever signs in.", "It is made anew.", "a row he owns"]
)
def test_the_rule_sees_an_unwelcome_word(text: str) -> None:
    """A pronoun for men and a word of another century are found."""
    assert unwelcome(text) != []


def test_the_rule_sees_a_relative_clause() -> None:
    """`Who is deleted takes his rows along` is found; a question is not."""
    assert list(relative("Deletes. Who is deleted takes the rows along.")) != []
    assert list(relative("Who are you? Deletes the row.")) == []
