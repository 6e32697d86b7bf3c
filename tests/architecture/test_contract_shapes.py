"""A contract changes only together with its stored shape, which stands beside this test.

`make contracts` writes one file for each service. The diff shows what other services will notice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.architecture.source import WITH_TABLES, contracts

SNAPSHOTS = Path(__file__).with_name("contracts")


def described(service: str) -> dict[str, Any]:
    return {
        subject: {
            "name": contract.__name__,
            "needs": contract.needs,
            "within": contract.within,
            "safe": contract.safe,
            "fresh": contract.fresh,
            "request": _shape(contract.model_json_schema()),
            "reply": _shape(contract.reply.model_json_schema(mode="serialization")),
        }
        for subject, contract in contracts().items()
        if subject.startswith(f"{service}.")
    }


def _shape(schema: Any) -> Any:
    """The schema without its prose: a better sentence is no change of the contract."""
    if isinstance(schema, dict):
        return {
            key: _shape(value)
            for key, value in schema.items()
            if not (key in ("description", "title", "examples") and isinstance(value, str | list))
        }
    return [_shape(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("service", WITH_TABLES)
def test_contracts_are_what_the_snapshot_says(service: str) -> None:
    """A change of a contract is a diff of its snapshot."""
    file = SNAPSHOTS / f"{service}.json"
    text = json.dumps(described(service), indent=1, sort_keys=True) + "\n"
    if os.environ.get("AERO2_WRITE_SNAPSHOT"):
        file.write_text(text)
    known = json.loads(file.read_text())
    now = json.loads(text)

    changed = sorted(s for s in known.keys() | now.keys() if known.get(s) != now.get(s))
    assert changed == [], "run `make contracts` and look at the diff"
