"""Fixtures for every test: a PostgreSQL server a session, a fresh database a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from tests.kit.deployments import Shape
from tests.kit.homes import WEST, TwoClusters
from tests.kit.postgres import Postgres
from tests.kit.standby import PostgresPair
from tests.kit.system import System

from common import logs

logs.configure("test", "warning")
# A slow machine is no failure: times are measured in bench/, never asserted.
hypothesis.settings.register_profile("aero2", deadline=None)
hypothesis.settings.load_profile("aero2")

pytest_plugins = [
    "tests.kit.chromium",
    "tests.kit.fault_report",
    "tests.kit.reliability",
    "tests.kit.required",
    "tests.kit.workers",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shape",
        default=Shape.SEPARATE.value,
        choices=[shape.value for shape in Shape],
        help="how the deployment of end-to-end, conformance and browser tests is arranged",
    )
    parser.addoption(
        "--homes",
        type=int,
        default=1,
        choices=[1, 2],
        help="database clusters of the tests in this process: with 2, applications live in both",
    )
    parser.addoption(
        "--main-job",
        type=Path,
        default=None,
        help="write the report of tests/cluster/test_main_job.py into this document",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what cannot work on two clusters, with its reason."""
    if config.getoption("--homes") == 1:
        return
    for item in items:
        if mark := item.get_closest_marker("one_cluster"):
            item.add_marker(pytest.mark.skip(reason=str(mark.args[0])))


@pytest.fixture(scope="session")
def shape(request: pytest.FixtureRequest) -> Shape:
    """The shape that the option `--shape` names."""
    return Shape(request.config.getoption("--shape"))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    server = Postgres.start()
    if request.config.getoption("--homes") == 2:
        west = Postgres.start(cluster=WEST)
        yield TwoClusters.beside(server, west)
        west.stop()
    else:
        yield server
    server.stop()


@pytest.fixture(scope="session")
def two_clusters(postgres: Postgres) -> Iterator[TwoClusters]:
    """Two clusters: `main`, which other tests use too, and `west`."""
    if isinstance(postgres, TwoClusters):
        yield postgres
        return
    west = Postgres.start(cluster=WEST)
    yield TwoClusters.beside(postgres, west)
    west.stop()


@pytest.fixture(scope="module")
def postgres_pair() -> Iterator[PostgresPair]:
    """A primary with a synchronous standby, for a module that stops, kills or promotes them."""
    pair = PostgresPair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="session")
def homes(request: pytest.FixtureRequest) -> int:
    """The number of database clusters that the option `--homes` names."""
    return int(request.config.getoption("--homes"))


@pytest.fixture(scope="session")
def system(shape: Shape, homes: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The running platform that every end-to-end and journey test shares."""
    running = System.start(shape, tmp_path_factory.mktemp("system") / "data", homes=homes)
    yield running
    running.stop()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[dict[str, str]]:
    """A database of the test's own: its DSN by role (owner, tenancy, identity, oidc, rbac, relay, sweep, mail,
    logout, upkeep, search).

    `owner` is a superuser, whom row level security does not bind: for preparing and looking.
    """
    name = postgres.clone()
    yield postgres.dsns(name)
    postgres.drop(name)


@pytest.fixture(scope="module")
def module_database(postgres: Postgres) -> Iterator[dict[str, str]]:
    """The same, shared by a module's tests, which must then not disturb each other."""
    name = postgres.clone()
    yield postgres.dsns(name)
    postgres.drop(name)
