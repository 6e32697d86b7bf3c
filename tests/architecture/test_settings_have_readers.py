"""Refuses a setting that no code reads: a developer who sets it would be misled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic_settings import BaseSettings
from tests.architecture.source import COMMON, SERVICES, modules, tree

from common.contracts.settings_change import SettingsChange
from gateway.settings import GatewaySettings
from identity.settings import Settings as IdentitySettings
from oidc.settings import Settings as OidcSettings
from rbac.settings import Settings as RbacSettings
from tenancy.settings import Settings as TenancySettings

DECLARED = {COMMON / "contracts", SERVICES / "tenancy" / "app_settings.py"}
"""Files that declare and compare settings, and do not act on them."""
PROCESSES: list[type[BaseSettings]] = [
    GatewaySettings,
    IdentitySettings,
    OidcSettings,
    RbacSettings,
    TenancySettings,
]


def reads(module: ast.Module, *, of: str) -> Iterator[str]:
    """Patterns of the names that the module reads of an object whose name ends in `of`: as an
    attribute, with getattr, in a statement as `settings ->> 'name'`, or as anything of itself."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            if ast.unparse(node.value).endswith((of, "self")):
                yield re.escape(node.attr)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            if ast.unparse(node.args[0]).endswith(of):
                yield _pattern(node.args[1])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (re.escape(name) for name in re.findall(rf"{of} ->>? '(\w+)'", node.value))


def _pattern(name: ast.expr) -> str:
    """`f"{kind}_schema"` reads whatever ends so."""
    if isinstance(name, ast.JoinedStr):
        return "".join(_pattern(part) for part in name.values)
    return re.escape(str(name.value)) if isinstance(name, ast.Constant) else r"\w+"


def unread(names: set[str]) -> set[str]:
    """Returns those that nothing acts on."""
    patterns = {
        pattern
        for file in modules(SERVICES, COMMON)
        if not DECLARED & {file, *file.parents}
        for pattern in reads(tree(file), of="settings")
    } - {r"\w+"}
    whole = re.compile("|".join(sorted(patterns)))
    return {name for name in names if not whole.fullmatch(name)}


def literals(annotation: Any) -> set[str]:
    """The values that the type lists by name."""
    if get_origin(annotation) is Literal:
        return {str(value) for value in get_args(annotation)}
    return {value for inner in get_args(annotation) for value in literals(inner)}


def words() -> set[str]:
    """Every string of code that could act on a setting."""
    return {
        node.value
        for file in modules(SERVICES)
        if not DECLARED & {file}
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_setting_of_an_application_has_a_reader() -> None:
    """A setting without a reader would have no effect."""
    chosen = {
        name
        for name, field in SettingsChange.model_fields.items()
        if literals(field.annotation) != {str(field.default)}
    }

    assert unread(chosen) == set()


def test_every_value_of_a_setting_has_a_reader() -> None:
    """Code names every value of a setting. The default may be the remaining case."""
    known = words()
    bad = {
        f"{name}: {value}"
        for name, field in SettingsChange.model_fields.items()
        for value in literals(field.annotation) - {str(field.default)}
        if value not in known
    }

    assert bad == set()


@pytest.mark.parametrize("settings", PROCESSES, ids=lambda one: str(one.__module__))
def test_every_setting_of_a_process_has_a_reader(settings: type[BaseSettings]) -> None:
    assert unread(set(settings.model_fields)) == set()


@pytest.mark.parametrize(
    "source",
    [
        "tenant.settings.mfa_policy",
        "getattr(settings, f'{kind}_policy')",
        "\"SELECT settings ->> 'mfa_policy' FROM applications\"",
    ],
)
def test_the_rule_sees_readers(source: str) -> None:
    assert any(re.fullmatch(one, "mfa_policy") for one in reads(ast.parse(source), of="settings"))


@pytest.mark.parametrize("source", ["row.mfa_policy", "settings.mfa_policy = 1", "'mfa_policy'"])
def test_the_rule_sees_what_is_no_reader(source: str) -> None:
    assert not [*reads(ast.parse(source), of="settings")]
