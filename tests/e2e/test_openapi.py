"""The OpenAPI document of an application's host is true for the running platform.

Hundreds of generated calls with the application's secret key get no 5xx, and no status that the
document does not name.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance
from tests.kit.system import System

ENDLESS = {"/api/audit/stream"}
"""Operations that send server-sent events, which never end by themselves."""
EXAMPLES = 6


def _paths(system: System) -> tuple[schemathesis.BaseSchema, Iterator[str]]:
    port = system.domain.rpartition(":")[2]
    found = httpx.get(
        f"http://127.0.0.1:{port}/openapi.json", headers={"host": f"demo.{system.domain}"}
    ).json()
    schema = schemathesis.openapi.from_dict(found)
    schema.config.update(base_url=f"http://127.0.0.1:{port}")
    return schema, iter(path for path in found["paths"] if path not in ENDLESS)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
def test_the_document_is_true(fragile: System) -> None:
    """Every operation gets some calls with valid and invalid values. The deployment is the test's
    own, because some calls change settings."""
    schema, paths = _paths(fragile)
    headers = {
        "host": f"demo.{fragile.domain}",
        "authorization": f"Bearer {fragile.demo['secret_key']}",
    }
    called = 0
    for path in paths:
        for operation in schema[path].values():
            called += _tried(operation, headers)

    assert called > 300


def _tried(operation: Any, headers: dict[str, str]) -> int:
    count = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def every(case: schemathesis.Case[Any]) -> None:
        next(count)
        case.call_and_validate(
            headers=headers, checks=[not_a_server_error, status_code_conformance]
        )

    every()
    return next(count)
