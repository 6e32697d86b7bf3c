"""deploy/observe: rules, their tests, the example for Prometheus, and the dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from aero2.grafana import dashboard
from common import contracts, problems
from common.problems import Problem

FOLDER = Path("deploy/observe")
RULES = FOLDER / "alerts.yml"
needs_promtool = pytest.mark.promtool


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: Debian's package `prometheus` has it")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


def alerts(file: Path = RULES) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads((FOLDER / "grafana-dashboard.json").read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


@needs_promtool
def test_the_files_are_valid(promtool: str) -> None:
    """promtool accepts the rules, and the example with the rules that it names."""
    for file in (RULES, FOLDER / "alerts-exporters.yml"):
        checked = run(promtool, "check", "rules", file)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = run(promtool, "check", "config", FOLDER / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_each_alert_fires_and_does_not_fire(promtool: str) -> None:
    """alerts.test.yml has a world for each, in which it is quiet first and fires later."""
    tested = run(promtool, "test", "rules", FOLDER / "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr

    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    outcomes = {
        each["name"]: [len(check["exp_samples"]) for check in each["promql_expr_test"]]
        for each in tests
    }
    healthy = {name: outcomes.pop(name) for name in ("healthy", "healthy together")}
    assert set(map(tuple, healthy.values())) == {(0, 0, 0)}
    assert outcomes == {rule["alert"]: [0, 1] for rule in alerts()}


@needs_promtool
@pytest.mark.long
@pytest.mark.parametrize("expr", ["vector(0) > 1", "vector(1)"], ids=["never", "always"])
@pytest.mark.parametrize("alert", [rule["alert"] for rule in alerts()])
def test_the_test_of_an_alert_sees_a_broken_rule(
    promtool: str, alert: str, expr: str, tmp_path: Path
) -> None:
    """A rule that never fires, and one that always does, fail its test."""
    rules = yaml.safe_load(RULES.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if rule["alert"] == alert:
            rule["expr"] = expr
            rule.pop("for", None)
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())
    tests["tests"] = [each for each in tests["tests"] if each["name"] == alert]
    (tmp_path / "alerts.test.yml").write_text(yaml.safe_dump(tests))

    assert run(promtool, "test", "rules", tmp_path / "alerts.test.yml").returncode == 1


def test_each_alert_tells_what_is_wrong() -> None:
    """It has a severity, a sentence, and what to look at. Names are unique."""
    rules = alerts() + alerts(FOLDER / "alerts-exporters.yml")

    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
    for rule in alerts():
        assert rule["annotations"]["description"].endswith(".")


def test_outcomes_in_rules_are_outcomes_of_contracts() -> None:
    """A rule that names a code which no problem has would be quiet for ever."""
    assert contracts
    codes = {kind.code for kind in problems.problem_types()} | {Problem.code, "stopping"}
    for rule in alerts():
        for match in re.finditer(r'outcome=~"([^"]+)"', rule["expr"]):
            if "aero2_contract" in rule["expr"]:
                assert set(match[1].split("|")) <= codes


def test_the_dashboard_is_what_the_script_writes() -> None:
    """Run `make dashboard` after a change of dashboard.toml."""
    written = (FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8")

    assert written == dashboard(FOLDER / "dashboard.toml")


def test_all_expressions_can_be_parsed() -> None:
    """By a parser that is not Prometheus's own, with Grafana's variable replaced."""
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    expressions += [rule["expr"] for rule in alerts()]

    assert len(expressions) > 70
    for each in expressions:
        promql_parser.parse(each.replace("$__rate_interval", "1m"))


def test_panels_do_not_overlap() -> None:
    """Each field of the grid belongs to one panel at most, and no panel is wider than the page."""
    used: set[tuple[int, int]] = set()
    ids = []
    for panel in json.loads((FOLDER / "grafana-dashboard.json").read_text())["panels"]:
        at = panel["gridPos"]
        ids.append(panel["id"])
        fields = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not fields & used, panel["title"]
        assert at["x"] + at["w"] <= 24
        used |= fields
    assert len(set(ids)) == len(ids)
