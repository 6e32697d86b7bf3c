"""Restores the clusters of a deployment. Services and migrations get in when all of them are complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack

from aero2.backups import homes_check
from aero2.backups.access import connected
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, end_and_migrate, restoring, take_mark
from aero2.failures import CommandError


async def restore_deployment(
    works: Mapping[str, tuple[Restore, Manifest]], reporter: Reporter
) -> dict[str, int]:
    """Restores backups whose files were verified, by cluster, that of `main` last. Says which applications are
    not where `main` says. Returns how many credentials of each table ended.

    Raises CommandError: before anything is changed if a cluster is dark. Otherwise each database that was empty
    is marked as unfinished, and the next run starts over."""
    for work, described in works.values():
        work.refuse(described)
    ended: Counter[str] = Counter()
    async with AsyncExitStack() as stack, restoring():
        databases = {}
        for cluster, (work, _) in works.items():
            try:
                databases[cluster] = await stack.enter_async_context(connected(work.dsn))
            except CommandError as error:
                raise CommandError(f"The cluster {cluster}: {error}") from None
        for cluster, (work, described) in works.items():
            await work.prepare(databases[cluster], described)
        for cluster, (work, described) in works.items():
            reporter.say(f"Cluster {cluster}:")
            await work.load(databases[cluster], described, reporter)
        for sentence in await homes_check.differences(databases):
            reporter.say(f"Does not fit: {sentence}")
        for cluster, (work, _) in works.items():
            ended.update(await end_and_migrate(work, databases[cluster], reporter))
        for db in databases.values():
            await take_mark(db)
    return dict(ended)
