"""A backup of all clusters of a deployment: a folder for each, and what belongs together (docs/adr/0032).

The snapshots of all clusters are taken one right after the other, that of `main` first, before the first of them is
written. So what differs between them is the work of some milliseconds, and an event that travels from `main` to a
home at that moment is rather in both than in none: it is written into the log once.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aero2.backups import deployment_manifest
from aero2.backups.access import connected
from aero2.backups.backup import Backup, new_folder, reading, snapshot_of
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.failures import CommandError
from common.homes import MAIN

HOMES: Final = "SELECT DISTINCT home FROM applications"


@dataclass(frozen=True)
class DeploymentBackup:
    """A backup of the databases at `dsns`, by cluster, into the new folder `target`."""

    dsns: Mapping[str, str]
    target: Path
    secrets: dict[str, Any] | None
    passphrase: str = ""

    async def run(self, reporter: Reporter) -> dict[str, Manifest]:
        """Writes the backup. Raises CommandError if a cluster is dark, or misses among the DSNs, and then leaves
        nothing with the name of a backup."""
        manifests: dict[str, Manifest] = {}
        order = sorted(self.dsns, key=lambda cluster: (cluster != MAIN, cluster))
        with new_folder(self.target) as folder:
            async with AsyncExitStack() as stack:
                databases = {}
                for cluster in order:
                    try:
                        db = await stack.enter_async_context(connected(self.dsns[cluster]))
                    except CommandError as error:
                        raise CommandError(
                            f"The cluster {cluster} cannot be saved: {error} Save the others alone with "
                            "--cluster, or all of them when it is back."
                        ) from None
                    await stack.enter_async_context(reading(db))
                    databases[cluster] = db
                snapshots = {
                    cluster: await stack.enter_async_context(snapshot_of(db))
                    for cluster, db in databases.items()
                }
                homes = {row["home"] for row in await databases[MAIN].fetch(HOMES)}
                if missing := sorted(homes - databases.keys()):
                    raise CommandError(
                        f"Applications live in the cluster {missing[0]}, and its DSN is not set "
                        f"(AERO2_OWNER_DATABASE_URL_{missing[0].upper()})."
                    )
                for cluster, db in databases.items():
                    place = folder / cluster
                    place.mkdir(mode=0o700)
                    reporter.say(f"Cluster {cluster}:")
                    work = Backup(self.dsns[cluster], place, self.secrets, self.passphrase)
                    manifests[cluster] = await work.write(place, db, snapshots[cluster], reporter)
            deployment_manifest.write(folder, list(manifests))
        return manifests
