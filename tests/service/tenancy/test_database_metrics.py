"""The metrics of the database servers, by cluster."""

from __future__ import annotations

import math

import pytest
from tests.kit.world import World

from common import metrics
from common.db import Database
from tenancy import database_metrics
from tenancy.queries import database_servers
from tenancy.queries.database_servers import ServersRow

GAUGES = {
    "lag": metrics.STANDBY_LAG,
    "wanted": metrics.SYNCHRONOUS_WANTED,
    "standbys": metrics.SYNCHRONOUS_STANDBYS,
    "archive": metrics.ARCHIVE_FAILING,
}


def shown(cluster: str = "main") -> dict[str, float]:
    return {
        name: sample.value
        for name, gauge in GAUGES.items()
        for sample in next(iter(gauge.collect())).samples
        if sample.labels["cluster"] == cluster
    }


async def test_a_server_alone(world: World) -> None:
    """It has no lag that anybody could wait for, and no cluster is left out."""
    await database_metrics.export(world.tenancy)

    for each in world.tenancy.everywhere():
        found = shown(each.db.home)
        assert math.isnan(found.pop("lag"))
        assert found == {"wanted": 0, "standbys": 0, "archive": 0}


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (ServersRow(True, 1, 2.5, False), {"lag": 2.5, "wanted": 1, "standbys": 1, "archive": 0}),
        (ServersRow(True, 0, None, True), {"lag": None, "wanted": 1, "standbys": 0, "archive": 1}),
        (
            ServersRow(True, None, None, False),
            {"lag": None, "wanted": 1, "standbys": None, "archive": 0},
        ),
    ],
)
async def test_what_is_not_known_is_nan(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    servers: ServersRow,
    expected: dict[str, float | None],
) -> None:
    async def get(_: object) -> ServersRow:
        return servers

    monkeypatch.setattr(database_servers, "get", get)
    await database_metrics.export(world.tenancy)

    assert {
        name: None if math.isnan(value) else value for name, value in shown().items()
    } == expected


async def test_a_database_that_is_away_shows_no_old_figures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database_metrics.export(world.tenancy)

    def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(Database, "unbound_transaction", away)
    await database_metrics.export(world.tenancy)

    assert all(math.isnan(value) for value in shown().values())
