"""Every service has the same modules: `settings.Settings`, `deps.Deps` and `handlers.HANDLERS`."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module

import pytest

from common.service_deps import ServiceDeps
from common.settings import DatabaseSettings

SERVICES = ["identity", "oidc", "rbac", "tenancy"]


@pytest.mark.parametrize("service", SERVICES)
def test_deps_extend_the_shared_ones(service: str) -> None:
    """One name for one thing: a service adds fields, and redefines none of the shared ones."""
    deps = import_module(f"{service}.deps").Deps

    assert issubclass(deps, ServiceDeps)
    assert not vars(deps).get("__annotations__", {}).keys() & {f.name for f in fields(ServiceDeps)}


@pytest.mark.parametrize("service", SERVICES)
def test_settings_extend_the_shared_ones(service: str) -> None:
    assert issubclass(import_module(f"{service}.settings").Settings, DatabaseSettings)


@pytest.mark.parametrize("service", SERVICES)
def test_handlers_stand_in_one_table(service: str) -> None:
    assert import_module(f"{service}.handlers").HANDLERS
