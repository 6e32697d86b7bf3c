"""The log lines of a data folder, and what each of them must have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import orjson

from common.version import VERSION

SERVERS = {"postgres", "nats", "proxy"}
"""Programs of others, which write lines of their own form."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["at", "level", "event", "service", "version", "replica"],
    "properties": {
        "at": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "level": {"enum": ["debug", "info", "warning", "error", "critical"]},
        "event": {"type": "string", "minLength": 1},
        "service": {
            "enum": [
                "gateway",
                "identity",
                "oidc",
                "rbac",
                "tenancy",
                "callout",
                "together",
                "mail",
            ]
        },
        "version": {"const": VERSION},
        "replica": {"type": "string", "minLength": 1},
        "trace": {"pattern": "^[0-9a-f]{32}$"},
        "link": {"pattern": "^[0-9a-f]{32}$"},
        "span": {"pattern": "^[0-9a-f]{16}$"},
        "contract": {"pattern": r"^[a-z0-9_.-]+$"},
        "outcome": {"pattern": "^[a-z_]+$"},
    },
    "dependentRequired": {"span": ["trace"]},
    "allOf": [
        {
            "if": {"properties": {"event": {"const": "http"}}},
            "then": {"required": ["trace", "method", "path", "status", "outcome", "ms"]},
        },
        {
            "if": {"properties": {"event": {"const": "served"}}},
            "then": {"required": ["trace", "contract", "outcome", "ms"]},
        },
    ],
}
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Returns every line of our processes. Raises AssertionError for one that is not in the form."""
    found = []
    for file in sorted((folder / "logs").glob("*.log*")):
        if file.name.split(".")[0] in SERVERS:
            continue
        for text in file.read_bytes().splitlines():
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise AssertionError(f"{file.name}: not JSON: {text!r}") from None
            faults = [error.message for error in CHECK.iter_errors(line)]
            assert not faults, f"{file.name}: {text!r}: {faults}"
            found.append(line)
    return found
