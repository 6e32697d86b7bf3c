"""All clusters of a deployment are saved together, and restored together."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.kit.homes import TwoClusters
from tests.service.backups.conftest import PASSPHRASE, Said, master

from aero2.backups import commands, deployment_manifest, deployment_restore, restore_command
from aero2.backups.backup import Backup
from aero2.backups.deployment_backup import DeploymentBackup
from aero2.backups.deployment_manifest import clusters_in
from aero2.backups.restore import end_and_migrate
from aero2.backups.restore_command import RestoreOptions
from aero2.failures import CommandError
from aero2.migrate import migrate
from aero2.schema_files import MigrationError
from common.ids import new_id

pytestmark = pytest.mark.timeout(300)


@dataclass
class Deployment:
    """Two filled databases, two empty ones, and a folder for backups."""

    dsns: dict[str, str]
    empty: dict[str, str]
    folder: Path
    shop: str
    """An application in `west`, with a user, a session and an event that is on its way from `main`."""

    async def run(self, cluster: str, sql: str, *arguments: Any, restored: bool = False) -> Any:
        db = await asyncpg.connect((self.empty if restored else self.dsns)[cluster])
        try:
            return await db.fetchval(sql, *arguments)
        finally:
            await db.close()

    async def add(self, cluster: str, slug: str, home: str) -> str:
        """Inserts the row of an application into the registry, or a placeholder."""
        app_id = new_id()
        sql = "INSERT INTO applications (id, slug, name, state, home) VALUES ($1, $2, $2, 'active', $3)"
        await self.run(cluster, sql, app_id, slug, home)
        return app_id

    async def backup(self, **dsns: str) -> list[str]:
        return list(
            await DeploymentBackup(
                self.dsns | dsns,
                self.folder / "monday",
                {"environment": {"AERO2_MASTER_KEY": master("k1")}},
                PASSPHRASE,
            ).run(Said())
        )

    async def restore(self, **options: Any) -> list[str]:
        passphrase = self.folder / "passphrase"
        passphrase.write_text(PASSPHRASE)
        said = Said()
        chosen = RestoreOptions(self.folder / "monday", passphrase, None, **options)
        await restore_command._restore(chosen, said)
        return said.sentences


@pytest.fixture
async def deployment(
    two_clusters: TwoClusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    name = two_clusters.clone()
    fresh = f"restored_{name}"
    servers = {"west": two_clusters.west, "main": two_clusters.first}
    for server in servers.values():
        server.create(fresh)
    made = Deployment(
        {cluster: server.dsn("owner", name) for cluster, server in servers.items()},
        {cluster: server.dsn("owner", fresh) for cluster, server in servers.items()},
        tmp_path,
        "",
    )
    await made.run("main", "INSERT INTO clusters (name) VALUES ('west')")
    made.shop = await made.add("main", "west-shop", "west")
    await made.run(
        "west",
        "INSERT INTO applications (id, slug, name, state, home) VALUES ($1, 'west-shop', 'x', 'active', 'west')",
        made.shop,
    )
    await made.run(
        "west",
        "INSERT INTO users (app_id, id, email, email_normalized) VALUES ($1, $2, 'a@example.com', 'a@example.com')",
        made.shop,
        new_id(),
    )
    await made.run(
        "main",
        "INSERT INTO audit_transfers (app_id, event_id, home, payload, service) "
        "VALUES ($1, $2, 'west', 'x', 'tenancy')",
        made.shop,
        new_id(),
    )
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL", made.empty["main"])
    monkeypatch.setenv("AERO2_OWNER_DATABASE_URL_WEST", made.empty["west"])
    yield made
    two_clusters.drop(name)
    two_clusters.drop(fresh)


async def test_a_dark_cluster_refuses_the_backup(deployment: Deployment) -> None:
    """Before anything is written, and by its name: half of a deployment is no backup of it."""
    with pytest.raises(CommandError, match=r"cluster west cannot be saved: .* --cluster"):
        await deployment.backup(west="postgresql://postgres@127.0.0.1:9/x")

    assert list(deployment.folder.iterdir()) == []


async def test_a_home_without_a_dsn_refuses_the_backup(deployment: Deployment) -> None:
    """It would be missing in the backup without a word: of several clusters, and of what looks like one."""
    del deployment.dsns["west"]
    with pytest.raises(CommandError, match="live in the cluster west, and its DSN is not set"):
        await deployment.backup()
    db = await asyncpg.connect(deployment.dsns["main"])
    with pytest.raises(CommandError, match=r"live in the cluster west\. .*--cluster main"):
        await commands._refuse_further_homes(db)
    await db.close()

    assert list(deployment.folder.iterdir()) == []


@pytest.mark.long
async def test_a_deployment_is_restored_from_its_backup(deployment: Deployment) -> None:
    """Rows of both clusters, their names, and an event that was on its way. Applications that do not fit are
    named: one without rows at its home, and one that `main` does not know."""
    lost = await deployment.add("main", "lost", "west")
    unknown = await deployment.add("west", "unknown", "west")
    assert await deployment.backup() == ["main", "west"]
    said = await deployment.restore()

    assert f"Does not fit: lost ({lost}): lives in west, which has no rows of it." in said
    sentence = f"unknown ({unknown}): west has rows of it, and main does not know it."
    assert f"Does not fit: {sentence}" in said
    assert len([each for each in said if each.startswith("Does not fit")]) == 2
    assert said[-1] == "Restored 2 clusters. Next: start the services."
    name = "SELECT name FROM clusters WHERE is_this"
    for cluster in ("west", "main"):
        assert await deployment.run(cluster, name, restored=True) == cluster
        await migrate(deployment.empty[cluster], {}, cluster=cluster)
    users = "SELECT count(*) FROM users WHERE app_id = $1"
    assert await deployment.run("west", users, deployment.shop, restored=True) == 1
    waiting = "SELECT app_id::text FROM audit_transfers"
    assert await deployment.run("main", waiting, restored=True) == deployment.shop


@pytest.mark.long
async def test_all_snapshots_are_older_than_the_first_dump(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written while the first cluster is saved is in no backup: they are of one moment."""
    write, late = Backup.write, ""

    async def and_more(self: Backup, *arguments: Any) -> Any:
        nonlocal late
        if not late:
            late = await deployment.add("main", "late", "west")
            await deployment.run(
                "west",
                "INSERT INTO applications (id, slug, name, home) VALUES ($1, 'late', 'x', 'west')",
                late,
            )
        return await write(self, *arguments)

    monkeypatch.setattr(Backup, "write", and_more)
    await deployment.backup()

    for cluster in ("main", "west"):
        text = (deployment.folder / "monday" / cluster / "manifest.json").read_text()
        assert json.loads(text)["counts"]["applications"] == 2  # with the Dashboard
        assert json.loads(text)["cluster"] == cluster


@pytest.mark.long
async def test_a_restore_that_was_killed_starts_over(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of its end, neither cluster takes services or migrations. Another run restores both."""
    await deployment.backup()
    end, ends = end_and_migrate, 0

    async def killed(*arguments: Any) -> Any:
        nonlocal ends
        ends += 1
        if ends == 2:
            raise KeyboardInterrupt
        return await end(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(deployment_restore, "end_and_migrate", killed)
        with pytest.raises(KeyboardInterrupt):
            await deployment.restore()
    for cluster in ("west", "main"):
        with pytest.raises(MigrationError, match="not complete"):
            await migrate(deployment.empty[cluster], {}, cluster=cluster)
    await deployment.restore()

    users = "SELECT count(*) FROM users WHERE app_id = $1"
    assert await deployment.run("west", users, deployment.shop, restored=True) == 1


@pytest.mark.long
async def test_one_cluster_is_saved_and_restored_alone(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a backup of all, or from one of its own. A backup of another cluster is refused, and so is a data
    folder, which has one."""
    await deployment.backup()
    await deployment.restore(cluster="west")
    users = "SELECT count(*) FROM users WHERE app_id = $1"
    assert await deployment.run("west", users, deployment.shop, restored=True) == 1
    clusters = "SELECT to_regclass('clusters') IS NULL"
    assert await deployment.run("main", clusters, restored=True)

    with pytest.raises(CommandError, match="has no cluster east, only west, main"):
        await deployment.restore(cluster="east")
    whole = deployment.folder / "monday"
    whole.rename(deployment.folder / "whole")
    shutil.copytree(deployment.folder / "whole" / "west", whole)
    with pytest.raises(CommandError, match="of the cluster west, and not of main"):
        await deployment.restore()
    monkeypatch.delenv("AERO2_OWNER_DATABASE_URL")
    shutil.rmtree(whole)
    (deployment.folder / "whole").rename(whole)
    with pytest.raises(CommandError, match="a data folder has one"):
        await deployment.restore()


def test_folders_of_different_backups_do_not_belong_together(tmp_path: Path) -> None:
    """A folder that was replaced by that of another day is refused, and so is one that is missing."""
    for cluster in ("main", "west"):
        (tmp_path / cluster).mkdir()
        (tmp_path / cluster / "manifest.json").write_text(f'"{cluster}"')
    assert clusters_in(tmp_path) is None
    deployment_manifest.write(tmp_path, ["main", "west"])
    assert clusters_in(tmp_path) == {"west": tmp_path / "west", "main": tmp_path / "main"}

    (tmp_path / "west" / "manifest.json").write_text('"tuesday"')
    with pytest.raises(CommandError, match="west is missing, damaged, or of another backup"):
        clusters_in(tmp_path)
    shutil.rmtree(tmp_path / "west")
    with pytest.raises(CommandError, match="west is missing"):
        clusters_in(tmp_path)
