"""The gateway's packages import in one direction, and its routes stand in one table."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import SERVICES, modules, tree
from tests.architecture.test_layout import dotted, imports

from gateway.build import ROUTE_SETS

LAYERS = (
    (
        "settings",
        "audit_followers",
        "event_streams",
        "running_exports",
        "served_requests",
        "service_discovery",
    ),
    ("audit_tail",),
    ("http",),
    ("admission",),
    ("state",),
    ("routing",),
    ("auth", "platform_health"),
    ("pages",),
    ("dashboard",),
    ("api", "oauth", "monitoring"),
    ("error_styles", "request_metrics", "response_sender", "app", "build", "server", "__main__"),
)
"""The lowest first. A module imports its own package and lower layers."""
TOP = len(LAYERS) - 1


def layer_of(package: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if package in names)


def upward(name: str, module: ast.Module) -> Iterator[str]:
    """Imports of a higher layer, or of another package of the same layer. The top layer is exempt."""
    own = name.split(".")[1]
    for imported in sorted(imports(module)):
        root, _, rest = imported.partition(".")
        package = rest.partition(".")[0]
        if root != "gateway" or not package or package == own:
            continue
        if layer_of(package) >= layer_of(own) != TOP:
            yield f"{name} imports {imported}"


def test_every_module_has_a_layer() -> None:
    """A new package is put into the table above."""
    packages = {dotted(file, SERVICES).split(".")[1] for file in gateway_modules()}

    assert packages - {name for names in LAYERS for name in names} == set()


def test_imports_go_one_way() -> None:
    """http < admission < auth < pages < dashboard < api and oauth."""
    names = [(dotted(file, SERVICES), tree(file)) for file in gateway_modules()]

    assert [found for name, module in names for found in upward(name, module)] == []


def test_every_route_set_is_in_the_table() -> None:
    """A module that exports `routes` is listed in one of the ROUTE_SETS."""
    exporting = [
        dotted(file, SERVICES)
        for file in gateway_modules()
        if any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "routes"
            for node in tree(file).body
        )
    ]

    assert len(exporting) == len(ROUTE_SETS)


def test_the_rule_sees_an_import_upwards() -> None:
    """http may not know the application, and oauth may not know the JSON API."""
    assert list(upward("gateway.http.csrf", ast.parse("from gateway.auth import caller")))
    assert list(upward("gateway.oauth.token", ast.parse("from gateway.api.deps import Acting")))
    assert not list(upward("gateway.pages.code", ast.parse("from gateway.http import csrf")))


def gateway_modules() -> list:  # type: ignore[type-arg]
    root = SERVICES / "gateway"
    return [file for file in modules(root) if file != root / "__init__.py"]
