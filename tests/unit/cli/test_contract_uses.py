"""Which contracts code sends as the system, and which for a caller."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from aero2 import nats_access
from aero2.contract_uses import contract_uses

HEAD = """
from common.contracts import sessions
from common.contracts.roles import SeedRoles
from common.contracts.users import CreateUser, GetUser as Look
"""


def read(folder: Path, code: str) -> tuple[set[str], set[str]]:
    file = folder / "code.py"
    file.write_text(HEAD + code)
    found = contract_uses(file)
    return {name for _, name in found.as_system}, {name for _, name in found.otherwise}


@pytest.mark.parametrize(
    "code",
    [
        "async def do(): await bus.call(ctx.as_system(), CreateUser(email=''))",
        "async def do(): await bus.raw(replace(ctx, caller=SYSTEM_CALLER), CreateUser())",
        "async def do():\n    asked = CreateUser()\n    await bus.call(system_context(a), asked)",
        "async def do():\n    who = ctx.as_system()\n    await deps.bus.call(who, CreateUser())",
        "async def do():\n    who = ctx.as_system()\n"
        "    async def load():\n        return await bus.call(who, CreateUser())",
        "async def do():\n    for _, each in [('a', CreateUser())]:\n"
        "        await bus.call(ctx.as_system(), each)",
        "async def do():\n    asked = CreateUser()\n"
        "    await bus.call(ctx.as_system(), asked.model_copy(update={}))",
        "async def do(): await bus.call(_ours(a), CreateUser())\n"
        "def _ours(a): return system_context(a, within=3)",
    ],
)
def test_a_request_is_followed_to_its_class(code: str, tmp_path: Path) -> None:
    """The class of a request is found within a function, however the call is written."""
    as_system, otherwise = read(tmp_path, code)

    assert as_system & {"CreateUser", "GetUser", "SeedRoles"} == {"CreateUser"}
    assert "CreateUser" not in otherwise


def test_what_a_field_comes_from_is_not_sent_as_the_system(tmp_path: Path) -> None:
    """A caller's call stays the caller's, even if its reply fills a request of the system."""
    as_system, otherwise = read(
        tmp_path,
        "async def do():\n"
        "    user = await bus.call(ctx, Look())\n"
        "    asked = CreateUser(email=user.email)\n"
        "    await bus.call(ctx.as_system(), asked)",
    )

    assert "CreateUser" in as_system
    assert "GetUser" not in as_system
    assert "GetUser" in otherwise


def test_a_contract_may_be_sent_both_ways(tmp_path: Path) -> None:
    """A contract that is sent both ways needs both subjects."""
    as_system, otherwise = read(
        tmp_path,
        "async def do():\n"
        "    await bus.call(ctx.as_system(), sessions.EndSession())\n"
        "    await bus.call(ctx, sessions.EndSession())",
    )

    assert "EndSession" in as_system & otherwise


def test_what_is_only_imported_may_be_sent_for_a_caller(tmp_path: Path) -> None:
    """An imported contract counts as sent for a caller, because a module may import for others."""
    as_system, otherwise = read(tmp_path, "")

    assert as_system == set()
    assert {"SeedRoles", "CreateUser", "GetUser"} <= otherwise


def test_a_caller_made_from_a_reply_is_no_system(tmp_path: Path) -> None:
    """The system reads the rights of a person, who then calls as themselves."""
    as_system, otherwise = read(
        tmp_path,
        "async def do():\n"
        "    rights = await bus.call(ctx.as_system(), Look())\n"
        "    person = Caller(rights.permissions)\n"
        "    await bus.call(ctx.with_caller(person), CreateUser())",
    )

    assert as_system == {"GetUser"}
    assert "CreateUser" in otherwise


def test_the_rights_of_all_users_are_found_without_reading_code_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`aero2 secrets rotate nats` writes the configuration several times, and all users share most of the code."""
    passwords = dict.fromkeys((*nats_access.SERVICES, nats_access.CLI, "rbac-2"), "x")
    first = nats_access.configuration(passwords, server="")
    parsed, parse = [], ast.parse

    def counted(*code: Any, **options: Any) -> Any:
        parsed.append(code)
        return parse(*code, **options)

    monkeypatch.setattr(ast, "parse", counted)

    again = nats_access.configuration(passwords, server="")
    monkeypatch.undo()

    assert again == first
    assert parsed == []
