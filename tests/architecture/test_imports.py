"""Services call each other only over the bus, and lower layers do not import higher ones."""

from __future__ import annotations

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.architecture.source import CLI, COMMON, SERVICES, modules, tree

SERVICE_NAMES = {path.name for path in SERVICES.iterdir() if path.is_dir()}


def imported(file: Path) -> set[str]:
    """Top-level names of everything a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {str(a.value).split(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return found


def test_services_meet_only_on_the_bus() -> None:
    """A service imports itself and `common`, never another service or the command line."""
    ours = SERVICE_NAMES | {"aero2", "tests", "bench"}
    crossing = [
        f"{file.relative_to(SERVICES)}: {name}"
        for file in modules(SERVICES)
        for name in imported(file) & (ours - {file.relative_to(SERVICES).parts[0]})
    ]

    assert crossing == []


def test_common_knows_no_service() -> None:
    """libs/common imports no service and not the command line."""
    crossing = [
        f"{file.relative_to(COMMON)}: {name}"
        for file in modules(COMMON)
        for name in imported(file) & (SERVICE_NAMES | {"aero2", "tests", "bench"})
    ]

    assert crossing == []


def test_the_gateway_has_no_database() -> None:
    """The gateway imports neither asyncpg nor the database modules. It calls services over the bus."""
    forbidden = {
        "common.db",
        "common.outbox",
        "common.outbox_batches",
        "common.outbox_publisher",
        "common.sealing",
        "common.mail",
        "asyncpg",
    }
    found = [
        f"{file.relative_to(SERVICES)}: {module}"
        for file in modules(SERVICES / "gateway")
        for node in ast.walk(tree(file))
        for module in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if module in forbidden
    ]

    assert found == []


def test_no_package_of_the_index_has_our_names() -> None:
    """No installed package may shadow the import roots `common`, `identity` and so on."""
    for name in SERVICE_NAMES | {"common", "aero2"}:
        assert set(packages_distributions().get(name, [])) <= {"aero2"}, name


def test_relative_imports_are_not_used() -> None:
    """An absolute import says which package the module is in."""
    relative = [
        str(file)
        for file in modules(SERVICES, COMMON, CLI)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []


def test_requests_go_out_through_one_client() -> None:
    """Only `common.outgoing_http` uses an HTTP client: each other one would need the guard too."""
    clients = {"httpx", "httpcore", "aiohttp", "requests", "urllib3"}
    others = [
        str(file.relative_to(file.parents[1]))
        for file in modules(SERVICES, COMMON)
        if file.name != "outgoing_http.py"
        and (
            (imported(file) & clients and file.name != "pinned_http.py")
            or "pinned_http" in file.read_text()
        )
    ]

    assert others == []
