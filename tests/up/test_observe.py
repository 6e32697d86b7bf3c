"""What deploy/observe asks for is what a running deployment exports."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.kit.form_browser import browser
from tests.kit.instance import Instance

OBSERVE = Path("deploy/observe")
OF_PROMETHEUS = {"up", "ALERTS"}
"""Prometheus makes these itself."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


def scrape(instance: Instance) -> str:
    port = json.loads((instance.folder / "ports.json").read_text())["metrics"]
    return httpx.get(f"http://127.0.0.1:{port}/metrics").text


def names(text: str) -> set[str]:
    """Returns the names of all series that an export has or may have."""
    found = set()
    for family in text_string_to_metric_families(text):
        counter = ("_total",) if family.type == "counter" else ("",)
        found |= {family.name + suffix for suffix in SUFFIXES.get(family.type, counter)}
    return found


def wanted(node: object) -> set[str]:
    """Returns the names of the metrics in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return {str(node.name)}
    parts = [
        getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector", "args")
    ]
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    return {name for one in flat if one is not None for name in wanted(one)}


def expressions() -> list[str]:
    page = json.loads((OBSERVE / "grafana-dashboard.json").read_text())
    rules = yaml.safe_load((OBSERVE / "alerts.yml").read_text())
    targets = [target for panel in page["panels"] for target in panel.get("targets", [])]
    asked = [target["expr"] for target in targets]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return [each.replace("$__rate_interval", "1m") for each in asked]


def test_every_metric_of_rules_and_panels_is_exported(shared: Instance) -> None:
    """A name that nobody exports would leave an alert quiet and a panel empty for ever."""
    shared.ready()
    exported = names(scrape(shared)) | OF_PROMETHEUS
    asked = {name for each in expressions() for name in wanted(promql_parser.parse(each))}

    assert len(asked) > 40
    assert asked - exported == set()


def test_a_scanner_makes_no_series_in_a_deployment(shared: Instance) -> None:
    """Two hundred paths, hosts and methods add no series that the first ones have not made."""
    shared.ready()

    def series() -> set[str]:
        lines = scrape(shared).splitlines()
        return {line.rpartition(" ")[0] for line in lines if line.startswith("aero2_http")}

    with browser() as client:
        for first in range(2):
            for number in range(first * 20, 20 + first * 200):
                host = f"{'demo' if number % 2 else f'h{number}'}.localhost:{shared.port}"
                method = ("GET", "POST", f"M{number}")[number % 3]
                client.request(method, f"http://{host}/scan-{number}/{number}")
            if first == 0:
                before = series()
    new = series() - before

    assert {"route" in each and 'route="unmatched"' not in each for each in new} <= {False}
    assert len(new) <= 60
