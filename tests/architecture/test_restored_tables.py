"""A restore ends every credential: a new table, or a new kind of token, cannot be forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from tests.architecture.source import COMMON, SERVICES, modules, tree

from aero2.backups.credentials import CHANGED, EMPTIED, ENDED_KEYS, KEPT, SEALED_TOKENS
from aero2.migrate import UNFINISHED_RESTORE, folder

TABLE = re.compile(r"^CREATE TABLE (\w+) \(", re.MULTILINE)
SECRET = re.compile(
    r"^    (\w*token_hash|\w*code_hash|link_hash|state_hash|id_hash)\s", re.MULTILINE
)
NOT_BY_THEMSELVES = {"recovery_codes"}
"""A recovery code counts only after a first factor, and is what people keep for years."""


def tables() -> dict[str, str]:
    """Returns the text of each table of the schema."""
    schema = (folder() / "schema.sql").read_text()
    found = list(TABLE.finditer(schema))
    return {match[1]: schema[match.start() : schema.index(";\n", match.end())] for match in found}


def unsorted_tables(names: Sequence[str]) -> list[str]:
    """Returns the tables that are in no group, or in several."""
    groups = (EMPTIED, set(CHANGED), set(ENDED_KEYS), KEPT)
    return [name for name in names if sum(name in group for group in groups) != 1]


def purposes(module: ast.Module) -> Iterator[str]:
    """Returns the purposes of sealed tokens that a module makes."""
    if not any(
        isinstance(node, ast.Attribute)
        and node.attr == "seal"
        and _names(node.value, "sealed_tokens")
        for node in ast.walk(module)
    ):
        return
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            if any(_names(target, "PURPOSE") for target in targets):
                yield str(node.value.value)


def _names(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_every_table_is_in_one_group() -> None:
    """Its rows are emptied, changed, ended if asked for, or kept: somebody has decided."""
    ours = tables()
    assert unsorted_tables(list(ours)) == []
    known = EMPTIED | set(CHANGED) | set(ENDED_KEYS) | KEPT
    assert known - ours.keys() == {"schema_migrations", UNFINISHED_RESTORE}


def test_no_table_of_hashed_tokens_is_kept() -> None:
    """A column with the hash of a token, code or link means that its row is a credential."""
    holding = {name for name, text in tables().items() if SECRET.search(text)}
    assert holding - NOT_BY_THEMSELVES <= EMPTIED | set(CHANGED)
    assert {"user_sessions", "refresh_tokens", "user_invitations"} <= holding


def test_tokens_that_no_table_holds_name_an_epoch() -> None:
    """Each purpose of a sealed token is listed with the reason why it ends."""
    made = {purpose for file in modules(SERVICES, COMMON) for purpose in purposes(tree(file))}
    assert made == set(SEALED_TOKENS)


def test_the_rules_see_what_is_new() -> None:
    """A new table, and a new kind of sealed token."""
    assert unsorted_tables(["device_grants"]) == ["device_grants"]
    module = ast.parse('PURPOSE = "magic link"\nx = sealed_tokens.seal(s, db, purpose=PURPOSE)')
    assert list(purposes(module)) == ["magic link"]
