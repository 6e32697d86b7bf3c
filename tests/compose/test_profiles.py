"""The profiles of docker-compose.yml, as Compose and Caddy read them. No engine is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kit.compose import ROOT, Project

from aero2.nats_access import SERVICES
from common.shared_settings import misplaced, prefix_of

CADDY = Path(sys.executable).with_name("caddy")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    if shutil.which("docker") is None:
        pytest.skip("the command docker is missing")
    return Project(tmp_path, AERO2_DASHBOARD_GATEWAY="dashboard-gateway")


def configured(project: Project, *options: str) -> dict[str, Any]:
    """Returns the services as Compose reads them."""
    text = project.compose(*options, "config", "--format", "json")
    services: dict[str, Any] = json.loads(text)["services"]
    return services


def test_the_profile_starts_gateways_of_the_dashboard(project: Project) -> None:
    """They are like every other gateway, and without the profile there are none."""
    services = configured(project, "--profile", "dashboard")
    own = services["dashboard-gateway"]

    assert own.pop("profiles") == ["dashboard"]
    assert own == services["gateway"]
    assert "ports" not in own
    assert "dashboard-gateway" not in configured(project)


def test_the_proxy_is_told_of_them(project: Project) -> None:
    """The setting in .env reaches the proxy."""
    environment = configured(project)["proxy"]["environment"]

    assert environment["AERO2_DASHBOARD_GATEWAY"] == "dashboard-gateway"


def test_a_profile_runs_all_services_in_one_container(tmp_path: Path, project: Project) -> None:
    """It takes the place of the containers of each service, behind the name that the proxy asks. Each
    service is told what it is told in a container of its own, with its own users."""
    alone = configured(project)
    (tmp_path / "one").mkdir()
    one = Project(tmp_path / "one", AERO2_SEPARATE="0", AERO2_WORKERS="3")
    services = configured(one, "--profile", "together")
    together, env = services["together"], services["together"]["environment"]

    assert "together" not in alone
    assert {alone[name].get("scale", 1) for name in SERVICES} == {1}
    assert {services[name]["scale"] for name in SERVICES} == {0}
    assert together["networks"]["default"] == {"aliases": ["gateway"]}
    assert together["networks"].keys() == {"default", "data", "bus"}
    assert together["command"] == ["aero2", "serve", "--workers", "3", *SERVICES]
    assert services["proxy"]["depends_on"]["together"]["condition"] == "service_healthy"
    assert "ports" not in together
    assert list(misplaced(SERVICES, env)) == []
    for name in SERVICES:
        for variable, value in services[name]["environment"].items():
            own = variable.replace("AERO2_", prefix_of(name), 1)
            assert env.get(own, env.get(variable)) == value, (name, variable)


def upstreams(**environment: str) -> dict[str, str]:
    """Returns the service of each kind of host, as Caddy reads its file. "" stands for all others."""
    command = [str(CADDY), "adapt", "--adapter", "caddyfile", "--config", "deploy/Caddyfile"]
    ran = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=True
    )
    (server,) = json.loads(ran.stdout)["apps"]["http"]["servers"].values()
    return dict(pair for route in server["routes"] for pair in _upstreams(route))


def _upstreams(route: dict[str, Any]) -> list[tuple[str, str]]:
    hosts = [one["header_regexp"]["Host"]["pattern"] for one in route.get("match", ())]
    names = [
        proxy["dynamic_upstreams"]["name"]
        for handler in route["handle"]
        for inner in handler.get("routes", ())
        for proxy in inner["handle"]
        if proxy["handler"] == "reverse_proxy"
    ]
    return [(host, name) for host in hosts or [""] for name in names]


@pytest.mark.skipif(not CADDY.exists(), reason="Caddy is not installed")
def test_the_proxy_chooses_by_host() -> None:
    """The Dashboard's host goes to its gateways, and to the others if it has none."""
    assert upstreams(AERO2_DASHBOARD_GATEWAY="dashboard-gateway") == {
        "^dashboard[.]": "dashboard-gateway",
        "": "gateway",
    }
    assert upstreams() == {"^dashboard[.]": "gateway", "": "gateway"}
