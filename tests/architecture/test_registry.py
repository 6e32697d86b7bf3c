"""Tables that find an application are in the cluster `main`, wherever the application lives (docs/adr/0032).

A connection of `deps.db` leads to the home of the context, where they have a placeholder or nothing. With one
cluster nobody would notice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.architecture.source import SERVICES, modules, tree

QUERIES = frozenset(
    {
        "api_keys",
        "application_access",
        "application_lists",
        "applications",
        "deleted_slugs",
        "domain_checks",
        "domains",
        "key_rows",
        "placeholders",
        "steps",
    }
)
"""Modules of tenancy with statements on these tables, or names under which they are imported."""
AT_HOME = frozenset({"count_users"})
"""Statements on rows of the application in a module with others on the registry."""


def astray(module: ast.Module) -> Iterator[int]:
    """Returns the lines of statements on the registry that run on a connection of `deps.db`."""
    for node in ast.walk(module):
        if not isinstance(node, ast.AsyncWith):
            continue
        opened = {
            item.optional_vars.id
            for item in node.items
            if isinstance(item.optional_vars, ast.Name)
            and ast.unparse(item.context_expr).startswith(
                ("deps.db.reader", "deps.db.transaction", "deps.db.autocommit", "deps.db.unbound")
            )
        }
        for call in ast.walk(node):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id in QUERIES
                and call.func.attr not in AT_HOME
                and any(isinstance(arg, ast.Name) and arg.id in opened for arg in call.args)
            ):
                yield call.lineno


def test_the_registry_is_read_and_written_in_main() -> None:
    """tenancy, its only owner, uses `deps.registry` for these tables."""
    assert [
        f"{file.name}:{line}"
        for file in modules(SERVICES / "tenancy")
        for line in astray(tree(file))
    ] == []


@pytest.mark.parametrize(
    ("database", "found"),
    [("deps.db", True), ("deps.registry", False), ("deps.db.at(home)", False)],
)
def test_the_rule_sees_a_statement_that_goes_astray(database: str, found: bool) -> None:
    """Of the ways to a connection, only that of the context's home is refused."""
    source = (
        "async def get(deps, ctx):\n"
        f"    async with {database}.reader(ctx) as db:\n"
        "        return await applications.by_id(db, id=ctx.app_id)\n"
    )

    assert bool(list(astray(ast.parse(source)))) is found
