"""A deployment on several machines is used while each of its nodes, services and versions is replaced."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from tests.kit.application_load import ApplicationLoad, create_application
from tests.kit.compose import ROOT
from tests.kit.etcd import EtcdCluster, etcd
from tests.kit.homes import AT_WEST, WEST
from tests.kit.instance import environment
from tests.kit.main_job import MainJob
from tests.kit.nats_cluster import NAMES, NatsCluster, jetstream_ready, nats_cluster
from tests.kit.nats_server import until
from tests.kit.patroni import PROGRAM, PatroniPair
from tests.kit.postgres import ROLES
from tests.kit.services_on_cluster import ServicesOnCluster, started
from tests.kit.system import System

from aero2.cluster_config import SYSTEM_USER
from aero2.cluster_state import wait_current
from aero2.migrate import ROLES as DATABASE_ROLES
from aero2.migrate import migrate
from aero2.nats_access import SERVICES
from common.homes import MAIN
from common.version import VERSION

pytestmark = [
    pytest.mark.long,
    pytest.mark.patroni,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(etcd() is None, reason="etcd is missing (Debian's etcd-server)"),
    pytest.mark.skipif(
        not PROGRAM.exists(), reason="`make test` installs Patroni in .venv/patroni"
    ),
]
KINDS = ("users", "sign-ins", "sign-outs", "refreshes", "lists")
NEXT = "0.2.0"
SETTINGS = {"AERO2_POOL_SIZE": "4"}
"""Ten processes keep connections to each cluster."""
MIGRATION = """\
-- phase: expand
ALTER TABLE users ADD COLUMN main_job text;
"""


@dataclass
class Platform:
    """Three servers of NATS and of etcd, two Postgres clusters, two processes of each service, and an application in each
    cluster."""

    nats: NatsCluster
    clusters: dict[str, PatroniPair]
    etcd: EtcdCluster
    services: ServicesOnCluster
    applications: dict[str, System] = field(default_factory=dict)
    """By the cluster of their rows at the beginning."""

    async def nats_is_current(self) -> None:
        """Waits until all servers are healthy and have the whole stream."""
        system = await self.nats.connect(SYSTEM_USER)
        assert await wait_current(system, len(NAMES), 120, lambda _: None) is not None
        await system.close()

    async def replace(self, name: str, how: signal.Signals) -> None:
        """Ends a process, starts it again, and waits until it is ready."""
        await asyncio.to_thread(self.services.services.replace_and_wait, name, how)

    def run(self, name: str, *words: str) -> None:
        """Changes what a process runs at its next start."""
        self.services.services.commands[name].words = list(words)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """Everything, with an application in each cluster."""
    async with AsyncExitStack() as stack:
        clusters, dsns = dict[str, PatroniPair](), dict[str, str]()
        servers: EtcdCluster | None = None
        for name, place in ((WEST, AT_WEST), (MAIN, "")):
            pair = clusters[name] = await asyncio.to_thread(PatroniPair.start, servers, scope=name)
            servers = pair.etcd
            stack.callback(pair.stop)
            passwords = {role: pair.passwords[role] for role in DATABASE_ROLES}
            await migrate(pair.dsn("owner"), passwords, cluster=name)
            dsns |= {f"{role}{place}": pair.dsn(role) for role in ROLES}
        for part in ("nats", "services"):
            (tmp_path / part).mkdir()
        nats = stack.enter_context(nats_cluster(tmp_path / "nats"))
        services = await started(nats, dsns, tmp_path / "services", replicas=2, settings=SETTINGS)
        stack.callback(services.end)
        system = System(services)
        west = await create_application(system, services.operator_key(), "shop", WEST)
        yield Platform(nats, clusters, pair.etcd, services, {MAIN: system, WEST: west})


async def nats_servers(platform: Platform, job: MainJob) -> None:
    """Each server is killed and comes back, and then comes back without its store."""
    for name in NAMES:
        async with job.step(f"NATS server {name} is killed, and started again"):
            platform.nats.stop(name, how=signal.SIGKILL)
            await job.works_again()
            await asyncio.to_thread(platform.nats.start, name)
            await platform.nats_is_current()
    for name in NAMES:
        async with job.step(f"NATS server {name} is replaced by one with an empty store"):
            platform.nats.stop(name)
            shutil.rmtree(platform.nats.servers[name].folder / "jetstream")
            await job.works_again()
            await asyncio.to_thread(platform.nats.start, name)
            await platform.nats_is_current()


async def postgres_nodes(job: MainJob, cluster: str, pair: PatroniPair) -> None:
    """The primary and then the standby of a cluster loses its power. Then an operator hands over."""
    primary = str(pair.leader)
    async with job.step(f"The primary of {cluster} loses its power, and comes back"):
        await asyncio.to_thread(pair.kill, primary)
        await asyncio.to_thread(pair.wait_for, lambda: pair.leader not in (None, primary))
        await job.works_again()
        await back_again(pair, primary)
    async with job.step(f"The standby of {cluster} loses its power, and comes back"):
        await asyncio.to_thread(pair.kill, primary)
        await job.works_again()
        await back_again(pair, primary)
    async with job.step(f"A switchover in {cluster}"):
        await asyncio.to_thread(pair.switch_over)
        await asyncio.to_thread(pair.wait_for, lambda: pair.synchronous_standby is not None)


async def back_again(pair: PatroniPair, node: str) -> None:
    """Starts a node, and waits until it is the synchronous standby."""
    await asyncio.to_thread(pair.launch, node)
    await asyncio.to_thread(pair.wait_for, lambda: pair.synchronous_standby == node)


async def etcd_servers(platform: Platform, job: MainJob) -> None:
    """Each server is killed and comes back. Patroni leaves all nodes what they are."""
    leaders = {name: pair.leader for name, pair in platform.clusters.items()}
    for name in platform.etcd.ports:
        async with job.step(f"{name} is killed, and started again"):
            await asyncio.to_thread(platform.etcd.kill, name)
            await asyncio.to_thread(platform.etcd.wait_for_leader)
            await job.works_again(10)
            await asyncio.to_thread(platform.etcd.launch, name)
            await asyncio.to_thread(platform.etcd.wait_for_leader)
    assert {name: pair.leader for name, pair in platform.clusters.items()} == leaders


async def services_killed(platform: Platform, job: MainJob) -> None:
    """Both processes of each service are killed and started again, one after the other."""
    for service in SERVICES:
        async with job.step(f"Each process of {service} is killed, and started again"):
            for name in (service, f"{service}-1"):
                await platform.replace(name, signal.SIGKILL)
                await job.works_again()


async def migration(platform: Platform, job: MainJob, folder: Path) -> None:
    """The databases get a migration, `main` last, while services of the version before run."""
    source = folder / "db"
    shutil.copytree(ROOT / "db", source)
    (source / "migrations" / "9000_main_job.sql").write_text(MIGRATION)
    async with job.step("A migration runs on both clusters"):
        for cluster in (WEST, MAIN):
            dsn = platform.clusters[cluster].dsn("owner")
            ran = await migrate(dsn, {}, source=source, cluster=cluster)
            assert ran == ["9000_main_job.sql"]


async def versions(platform: Platform, job: MainJob) -> None:
    """All services become the next version, one process after the other, and then the version of before."""
    for version in (NEXT, None):
        other = f"version {version}" if version else "the version of before"
        async with job.step(f"Each process becomes {other}"):
            for service in SERVICES:
                for name in (service, f"{service}-1"):
                    words = ["tests.kit.next_version", version] if version else []
                    platform.run(name, *words, service)
                    await platform.replace(name, signal.SIGTERM)
        assert await connected_versions(platform) == {version or VERSION}


async def connected_versions(platform: Platform) -> set[str]:
    """Returns the versions of the services, as their database connections say."""
    found = set()
    for pair in platform.clusters.values():
        async with owner(pair) as db:
            rows = await db.fetch(
                "SELECT DISTINCT split_part(application_name, '/', 2) AS version "
                "FROM pg_stat_activity WHERE application_name LIKE 'aero2-%/%'"
            )
            found |= {row["version"] for row in rows}
    return found


@asynccontextmanager
async def owner(pair: PatroniPair) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser's connection to the primary."""
    db = await asyncpg.connect(f"{pair.dsn('owner')}?target_session_attrs=read-write")
    try:
        yield db
    finally:
        await db.close()


async def application_moved(platform: Platform, job: MainJob) -> None:
    """The application of `west` is moved to `main` by the operator's command."""
    owners = {
        "AERO2_OWNER_DATABASE_URL": platform.clusters[MAIN].dsn("owner"),
        "AERO2_OWNER_DATABASE_URL_WEST": platform.clusters[WEST].dsn("owner"),
    }
    slug = platform.applications[WEST].demo["slug"]
    async with job.step("An application is moved from west to main"):
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aero2", "apps", "move", slug, "--to", MAIN),
            env=environment() | platform.services.variables() | owners,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await command.communicate()
        assert command.returncode == 0, output.decode()
    async with owner(platform.clusters[WEST]) as db:
        app_id = platform.applications[WEST].demo["app_id"]
        assert not await db.fetchval("SELECT count(*) FROM users WHERE app_id = $1", app_id)


async def everything_is_there(platform: Platform, job: MainJob) -> None:
    """Nothing that was acknowledged is lost, what was revoked is revoked, and each session has one event on the
    stream and one in the log."""
    nc = await platform.nats.connect()
    js = nc.jetstream(timeout=5)
    await jetstream_ready(js)
    for load in job.loads:
        await load.compare()
        await load.compare_events(js)
    await nc.close()
    for load in job.loads:  # all applications live there now
        await one_record_each(load, platform.clusters[MAIN])


async def one_record_each(load: ApplicationLoad, pair: PatroniPair) -> None:
    """Each session that was confirmed has one `login` in the log of its application."""
    async with owner(pair) as db:
        rows = await db.fetch(
            "SELECT event_data ->> 'session_id' AS session FROM audit_logs "
            "WHERE app_id = $1 AND event_type = 'login'",
            load.system.demo["app_id"],
        )
    found = Counter(row["session"] for row in rows)
    sessions = [session for session, _ in load.sessions]
    assert {session: found[session] for session in sessions} == dict.fromkeys(sessions, 1)
    assert max(found.values()) == 1


async def all_is_well(platform: Platform) -> None:
    """All processes run, nothing waits, every standby is synchronous, and the deployment says that it is well."""
    await until(lambda: nothing_waits(platform), within=120)
    assert set(platform.services.processes().values()) == {1}
    for pair in platform.clusters.values():
        assert pair.synchronous_standby is not None
    await platform.nats_is_current()

    async def healthy() -> bool:
        async with platform.applications[MAIN].http() as http:
            health = (await http.get("/health")).json()
        return bool(health["status"] == "healthy")

    await until(healthy, within=120)


async def nothing_waits(platform: Platform) -> bool:
    for pair in platform.clusters.values():
        async with owner(pair) as db:
            for table in ("audit_outbox", "audit_transfers"):
                if await db.fetchval(f"SELECT count(*) FROM {table}"):
                    return False
    return True


async def test_the_main_job(
    platform: Platform, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Sign-ins, sign-outs, refreshes and API writes go on, in an application of each cluster, while every node,
    service and version is killed or replaced, and one application is moved. Every answer is a success or a clean refusal, and nothing that was
    acknowledged is lost."""
    loads = [
        ApplicationLoad(system, workers=1, kinds=KINDS, pause=0.3)
        for system in platform.applications.values()
    ]
    job = MainJob(loads)
    async with job.running():
        async with job.step("Nothing happens"):
            await job.works_again(20)
        await nats_servers(platform, job)
        for cluster, pair in platform.clusters.items():
            await postgres_nodes(job, cluster, pair)
        await etcd_servers(platform, job)
        await services_killed(platform, job)
        await migration(platform, job, tmp_path)
        await versions(platform, job)
        await application_moved(platform, job)

    print(job.table())  # noqa: T201
    await all_is_well(platform)
    await everything_is_there(platform, job)
    if document := request.config.getoption("--main-job"):
        job.publish(document)
