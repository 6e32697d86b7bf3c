"""Writes deploy/observe/grafana-dashboard.json from the panels in deploy/observe/dashboard.toml."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 24
"""Columns of a page in Grafana."""
SIZES: Final = {"timeseries": (8, 8), "stat": (4, 4)}
"""Width and height of each kind of panel."""
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard(file: Path) -> str:
    """Returns the dashboard as JSON, which Grafana 10 and later import."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in tomllib.loads(file.read_text(encoding="utf-8"))["row"]:
        at = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        panels.append(_numbered(panels, {"type": "row", "title": row["title"], "gridPos": at}))
        y, x, height = y + 1, 0, 0
        for panel in row["panel"]:
            width, height = SIZES[panel.get("kind", "timeseries")]
            if x + width > WIDTH:
                x, y = 0, y + height
            at = {"x": x, "y": y, "w": width, "h": height}
            panels.append(_numbered(panels, _panel(panel) | {"gridPos": at}))
            x += width
        y += height
    return json.dumps(_page(panels), indent=1) + "\n"


def _numbered(panels: list[dict[str, Any]], panel: dict[str, Any]) -> dict[str, Any]:
    return {"id": len(panels) + 1} | panel


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": SOURCE,
            "expr": query["expr"],
            "legendFormat": query["legend"] or "__auto",
        }
        for place, query in enumerate(panel["queries"])
    ]
    return {
        "type": panel.get("kind", "timeseries"),
        "title": panel["title"],
        "description": panel.get("description", ""),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.get("unit", "short")}, "overrides": []},
        "targets": targets,
    }


def _page(panels: list[dict[str, Any]]) -> dict[str, Any]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "aero2",
        "title": "Aero2",
        "tags": ["aero2"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }
