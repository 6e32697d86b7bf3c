"""Refuses a permission that no call needs: an administrator who grants it would be misled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import COMMON, SERVICES, contracts, modules, tree

from rbac.role_templates import APPLICATION, DEVELOPER, PLATFORM, PROFILE

DECLARED = {
    SERVICES / "rbac" / "role_templates.py",
    SERVICES / "tenancy" / "applications.py",  # what developers hold in their applications
    COMMON / "contracts",
}
"""Files that declare and list permissions, and do not check them."""
RESERVED = {
    *(f"webhooks:{verb}" for verb in ("read", "write")),
}
"""Permissions of the first version without a contract yet. Remove an entry with its first contract,
and add none.
"""

MANAGED = {
    "api_keys:write",
    "api_keys:read",
    "domains:read",
    "domains:write",
    "settings:read",
    "settings:write",
}
"""What developers hold in the applications of their teams, and secret keys."""


def checked() -> set[str]:
    """Patterns of the permissions that code asks for: as constants, or as `f"teams:{access}"`."""
    found: set[str] = set()
    for file in modules(SERVICES, COMMON):
        if not DECLARED & {file, *file.parents}:
            found |= set(_patterns(tree(file)))
    # `may(...)` in what lists permissions as well.
    for node in ast.walk(tree(SERVICES / "tenancy" / "applications.py")):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".may"):
            found |= set(_patterns(node))
    return found


def _patterns(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            if re.fullmatch(r"[a-z_]+:[a-z_:]+", part.value):
                yield re.escape(part.value)
        elif isinstance(part, ast.JoinedStr) and len(part.values) == 2:
            begin = part.values[0]
            if isinstance(begin, ast.Constant) and re.fullmatch(r"[a-z_]+:", str(begin.value)):
                yield re.escape(str(begin.value)) + r"\w+"


def test_every_permission_is_needed_somewhere() -> None:
    """A contract needs each permission, or the code of a handler checks it."""
    permissions = {*APPLICATION, *PLATFORM, *DEVELOPER, *PROFILE}
    needs = {contract.needs for contract in contracts().values()}
    patterns = checked()
    idle = {
        name
        for name in permissions - needs
        if not any(re.fullmatch(pattern, name) for pattern in patterns)
    }

    assert idle == RESERVED


def test_every_contract_needs_a_permission_that_there_is() -> None:
    """A contract with an unknown permission could never be called."""
    permissions = {*APPLICATION, *PLATFORM, *DEVELOPER, *PROFILE}
    named = {name for c in contracts().values() if (name := c.needs) and not name.startswith("@")}

    assert named - permissions == MANAGED
