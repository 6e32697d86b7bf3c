"""Jobs run once in each cluster, and a cluster that is away takes only its own applications along."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.kit.callers import ADMIN
from tests.kit.homes import WEST, TwoClusters
from tests.kit.postgres import Postgres
from tests.kit.world import World

from common.cluster_admission import ClusterAdmission
from common.cluster_settings import ClusterMistake
from common.clusters import refuse_unknown_homes
from common.context import SYSTEM_CALLER
from common.contracts.applications import CreateApplication
from common.contracts.email_codes import StartEmailCode
from common.contracts.queues import GetQueues
from common.contracts.roles import SeedRoles
from common.contracts.users import ListUsers
from common.db import Database
from common.ids import DASHBOARD
from common.problems import Busy, Unavailable
from common.sweeps import sweep
from identity.mailer import Mailer
from identity.queries.sweeps import EXPIRED
from tenancy import provisioning


def mailers(world: World) -> list[Mailer]:
    """Returns the mailers of an identity service: one for each cluster."""
    deps = world.identity
    return [
        Mailer(deps.db, each.mail_db, deps.sealer, deps.tenants, None, "a@b.example")
        for each in deps.everywhere()
    ]


async def test_each_mail_is_sent_once(world: World) -> None:
    """Every cluster has a mailer. Each mail is taken by the one of its cluster, and by no other."""
    for app_id in (world.app_id, world.other_app_id):
        await world.call(StartEmailCode(email="ann@example.com"), app_id=app_id)
    main, west = mailers(world)

    before = [len(await world.mails(app_id)) for app_id in (world.app_id, world.other_app_id)]
    assert before == [1, 1]
    async with main.mail_db.unbound_autocommit() as db:
        in_main = await db.fetch("-- any-tenant: a test\nSELECT app_id FROM mail_outbox")
    async with west.mail_db.unbound_autocommit() as db:
        in_west = await db.fetch("-- any-tenant: a test\nSELECT app_id FROM mail_outbox")
    assert world.app_id in {row["app_id"] for row in in_west}
    assert world.app_id not in {row["app_id"] for row in in_main}
    assert world.other_app_id in {row["app_id"] for row in in_main}


async def test_queues_are_added_up(world: World) -> None:
    """The length of a queue is that of all clusters, and the state of each further cluster is told."""
    first = await world.call(GetQueues(), SYSTEM_CALLER, DASHBOARD)
    await world.call(StartEmailCode(email="bob@example.com"))
    await world.call(StartEmailCode(email="bob@example.com"), app_id=world.other_app_id)
    second = await world.call(GetQueues(), SYSTEM_CALLER, DASHBOARD)

    assert second.mail.waiting == first.mail.waiting + 2
    assert second.clusters == {"west": "ok"}


async def test_a_sweep_works_on_its_own_cluster(world: World) -> None:
    """Expired rows of both clusters are deleted, each by the sweep of its cluster."""
    for app_id in (world.app_id, world.other_app_id):
        await world.call(StartEmailCode(email="cid@example.com"), app_id=app_id)
    await world.owner.execute(
        "UPDATE email_verification_codes SET expires_at = now() - interval '2 days'"
    )
    left = "SELECT count(*) FROM email_verification_codes WHERE app_id = $1"

    main, west = world.sweep_db.everywhere()
    await sweep(main, {"codes": EXPIRED["email_verification_codes"]})
    assert await world.owner.fetchval(left, world.other_app_id) == 0
    assert await world.owner.fetchval(left, world.app_id) == 1
    await sweep(west, {"codes": EXPIRED["email_verification_codes"]})
    assert await world.owner.fetchval(left, world.app_id) == 0


@pytest.fixture(scope="module")
async def fragile(postgres: Postgres) -> AsyncIterator[tuple[World, Postgres]]:
    """A world whose `west` may be stopped, with an application in each cluster."""
    west = Postgres.start(cluster=WEST)
    west.query("ALTER SYSTEM SET synchronous_commit = 'on'")  # what is committed survives the kill
    west.query("SELECT pg_reload_conf()")
    both = TwoClusters.beside(postgres, west)
    name = both.clone()
    world = await World.start(both.dsns(name), "identity", "oidc", "rbac", "tenancy", size=2)
    await world.call(SeedRoles(template="dashboard"), SYSTEM_CALLER, DASHBOARD)
    world.app_id = (await world.create_application(home="west")).id
    world.other_app_id = (await world.create_application(home="main")).id
    yield world, west
    await world.close()
    postgres.drop(name)
    west.stop()


async def test_a_dark_cluster_takes_only_its_applications_along(
    fragile: tuple[World, Postgres],
) -> None:
    """With `west` down, its application answers 503. The other one works, an application can be made in
    `main`, and one for `west` is completed once that is back."""
    world, west = fragile
    west.kill()

    problem = await world.refused(ListUsers(), ADMIN)
    assert isinstance(problem, (Unavailable, Busy))
    assert problem.status == 503
    assert await world.user(app_id=world.other_app_id)
    assert (await world.create_application(home="main")).state == "active"
    waiting = await world.create_application(home="west")
    assert waiting.state == "creating"
    assert len(waiting.api_keys) == 2
    queues = await world.call(GetQueues(), SYSTEM_CALLER, DASHBOARD)
    assert queues.clusters == {"west": "unreachable"}

    west.restart()
    await world.main_owner.execute("UPDATE applications SET updated_at = now() - interval '1 hour'")
    assert await provisioning.repair(world.tenancy)
    assert await world.user(app_id=waiting.id)
    assert await world.user()


async def test_a_process_starts_while_a_cluster_is_away(fragile: tuple[World, Postgres]) -> None:
    """A pool to `west` opens later. `main` must be there."""
    world, west = fragile
    west.kill()

    db = await Database.connect(
        world.dsns["identity@west"], name="late", size=1, home="west", admission=ClusterAdmission()
    )
    with pytest.raises(Unavailable):
        async with db.reader(world.ctx()) as reader:
            await reader.fetch("-- any-tenant: a test\nSELECT 1")
    west.restart()
    async with db.reader(world.ctx()) as reader:
        assert await reader.fetchval("-- any-tenant: a test\nSELECT 1") == 1
    await db.close()


async def test_the_wrong_database_is_refused(world: World) -> None:
    """A URL that leads to the database of another cluster ends the start with a sentence."""
    with pytest.raises(ClusterMistake, match="leads to the database of cluster main"):
        await Database.connect(
            world.dsns["identity"], name="wrong", size=1, home="west", admission=ClusterAdmission()
        )


async def test_a_cluster_that_is_behind_is_refused(world: World) -> None:
    """A cluster without a migration of `main` is not used: statements of this version may fail there."""
    admission = ClusterAdmission(frozenset({"schema.sql", "9999_later.sql"}))
    with pytest.raises(ClusterMistake, match=r"The cluster west lacks 9999_later\.sql"):
        await Database.connect(
            world.dsns["identity@west"], name="behind", size=1, home="west", admission=admission
        )


async def test_an_unknown_home_refuses_the_start(world: World) -> None:
    """A process that knows only `main` does not start while somebody lives elsewhere."""
    alone = await Database.connect(world.dsns["identity"], name="alone", size=1)

    with pytest.raises(ClusterMistake, match="AERO2_DATABASE_URL_WEST is not set"):
        await refuse_unknown_homes(alone)

    await refuse_unknown_homes(world.databases["identity"])
    await alone.close()


async def test_only_operators_choose_a_home(world: World) -> None:
    """A developer gets the cluster of new applications; an unknown cluster is refused."""
    team = await world.team()
    request = CreateApplication(name="Shop", owner_org_id=team, home="main")
    problem = await world.refused(request, await world.developer(team))
    assert problem.extra["errors"][0]["code"] == "home_not_selectable"
    request = CreateApplication(name="Shop", owner_org_id=team, home="north")
    problem = await world.refused(request, await world.operator())
    assert problem.extra["errors"][0]["code"] == "home_unknown"
    request = CreateApplication(name="Shop", owner_org_id=team, home="west")
    assert (await world.call(request, await world.operator())).home == "west"
