"""Every grant asks one policy: `oidc/grant_policy.py`, and the conditions of `oidc/queries/family_start.py`
(docs/adr/0037)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import SERVICES, Statement, modules, statements, tree

from oidc.grants import GRANTS
from oidc.queries.conditions import LIVE_SESSION, USER_OF_EPOCH

OIDC = SERVICES / "oidc"
ISSUES = re.compile(
    r"INSERT\s+INTO\s+(?:token_families|refresh_tokens)\b"
    r"|UPDATE\s+refresh_tokens\s+\w+\s+SET\s+(?:used_at|expires_at)"
)
"""Starts a token family, or renews its refresh token."""


def without_policy(statement: Statement) -> str | None:
    """Returns what the statement forgets, or None."""
    if not ISSUES.search(statement.sql):
        return None
    if USER_OF_EPOCH.strip() not in statement.sql:
        return f"{statement.where}: does not ask for the user and their epoch"
    if LIVE_SESSION.strip() not in statement.sql and "f.offline" not in statement.sql:
        return f"{statement.where}: does not ask for the session"
    if "token_families (" in statement.sql and "revoked_grants" not in statement.sql:
        return f"{statement.where}: does not ask for revocations"
    return None


def token_grants(file: Path) -> Iterator[str]:
    """The places that make a TokenGrant, from which tokens of a user are issued."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("TokenGrant"):
            yield f"{file.relative_to(OIDC)}"


def grant_modules() -> list[Path]:
    return [file for file in modules(OIDC / "grants") if file.name != "__init__.py"]


def test_every_statement_that_issues_asks_the_policy() -> None:
    """A family starts, and a refresh token is renewed, only if the user, the session and the epochs allow
    it in that same statement."""
    found = statements(OIDC)
    assert any(ISSUES.search(each.sql) for each in found)
    assert [wrong for each in found if (wrong := without_policy(each))] == []


def test_the_rule_sees_a_statement_that_forgets() -> None:
    for sql in (
        "INSERT INTO token_families (app_id, id) VALUES ($1, $2)",
        "UPDATE refresh_tokens r SET used_at = now() WHERE r.app_id = $1",
        f"INSERT INTO token_families (app_id) SELECT FROM users u WHERE {USER_OF_EPOCH} $2",
    ):
        assert without_policy(Statement(OIDC / "bad.py", 1, sql))


def test_a_users_tokens_come_from_two_places() -> None:
    """A new family, or the refresh statements, whose rows are a TokenGrant. No handler makes one itself."""
    assert {place for file in modules(OIDC) for place in token_grants(file)} == {"family_start.py"}


def test_every_grant_uses_the_policy() -> None:
    """Each handler imports the policy or what asks it for the handler, and answers a TokenRequest, which
    only the token endpoint makes: after it has asked for the client and the grant type."""
    for file in grant_modules():
        names = {
            alias.name
            for node in ast.walk(tree(file))
            if isinstance(node, ast.ImportFrom) and node.module == "oidc"
            for alias in node.names
        }
        assert names & {"grant_policy", "family_start"}, file.name
    assert set(GRANTS) >= {"authorization_code", "refresh_token", "client_credentials"}


def test_only_the_token_endpoint_makes_token_requests() -> None:
    made = {
        file.name
        for file in modules(OIDC)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "TokenRequest"
    }
    assert made == {"token_endpoint.py"}
    text = (OIDC / "token_endpoint.py").read_text()
    assert text.index("grant_policy.check_client(") < text.index("TokenRequest(client")
