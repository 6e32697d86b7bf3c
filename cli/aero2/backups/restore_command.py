"""`aero2 restore`, as the command line calls it: of a backup or an archive, into a folder or a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from aero2.backups import (
    access,
    checks,
    deployment_manifest,
    manifest,
    restored_folder,
    sealed_secrets,
)
from aero2.backups.base_backup import BASE
from aero2.backups.commands import tell
from aero2.backups.deployment_restore import restore_deployment
from aero2.backups.manifest import SECRETS, Manifest
from aero2.backups.point_in_time import Target, check_and_finish, copy_base
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, read_and_verify
from aero2.backups.stream_reading import revocations_since
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import FILE
from aero2.failures import CommandError
from aero2.migrate import folder as migrations
from common.crypto import Keys
from common.homes import MAIN


@dataclass(frozen=True)
class RestoreOptions:
    """The options of the command line."""

    source: Path
    passphrase_file: Path | None
    data_dir: Path | None
    end_keys: bool = False
    accept_audit_faults: bool = False
    to_point: str | None = None
    to_time: str | None = None
    write_secrets: Path | None = None
    cluster: str | None = None
    stream_of: Path | None = None
    without_stream: bool = False


@dataclass(frozen=True)
class Source:
    """A backup, or a base backup in an archive with the WAL that leads on from it."""

    place: Path
    """The folder with the manifest."""
    described: Manifest
    target: Target | None = None
    """Where the recovery of an archive ends."""
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)


def restore(options: RestoreOptions) -> None:
    """Restores a backup or an archive, and says what has ended. Raises CommandError."""
    asyncio.run(_restore(options, Reporter()))


async def _restore(options: RestoreOptions, reporter: Reporter) -> None:
    if places := deployment_manifest.clusters_in(options.source):
        if await _restore_clusters(options, places, reporter):
            return
        options = replace(options, source=_only(options, places))
    source = await _source(options, reporter)
    if options.write_secrets is not None:
        restored_folder.write_secrets(options.write_secrets, source.secrets)
        return
    path = access.data_folder(options.data_dir)
    if path is not None:
        _refuse_other_cluster(source.described, MAIN)  # `aero2 up` has one
        ended = await _restore_folder(path, options, source, reporter)
        start = f"aero2 up --data-dir {path}"
    elif source.target is None:
        _refuse_other_cluster(source.described, options.cluster or MAIN)
        work = _database_work(options, source)
        work = replace(work, revoked=await revocations_since(options, source.described, reporter))
        ended = await work.run(source.described, reporter)
        start = "the services"
    else:
        raise CommandError(
            "An archive is restored into a data folder: name one with --data-dir. For a server of "
            "your own, recover it as PostgreSQL says, and then run `aero2 archive recovered`."
        )
    tell(ended, end_keys=options.end_keys, reporter=reporter)
    reporter.say(f"Restored. Next: start {start}.")


async def _source(options: RestoreOptions, reporter: Reporter) -> Source:
    """Returns what the options name, with its opened secrets. Raises CommandError."""
    if (options.source / BASE).is_dir():
        target = Target.of(options.source.absolute(), options.to_point, options.to_time)
        place, described = target.base()
        manifest.verify_files(place, described, lambda _: None)
        return Source(place, described, target, _opened_secrets(options, place, described))
    if options.to_point or options.to_time:
        raise CommandError(f"{options.source} is no archive with base backups.")
    described = await read_and_verify(options.source, reporter)
    secrets = _opened_secrets(options, options.source, described)
    return Source(options.source, described, None, secrets)


def _opened_secrets(options: RestoreOptions, place: Path, described: Manifest) -> dict[str, Any]:
    """Returns the secrets of the backup, if a passphrase is given."""
    if options.passphrase_file is None:
        return {}
    if SECRETS not in described.files:
        raise CommandError("This backup was made --without-secrets.")
    passphrase = sealed_secrets.passphrase_in(options.passphrase_file)
    return sealed_secrets.open_sealed((place / SECRETS).read_text(), passphrase)


async def _restore_folder(
    path: Path, options: RestoreOptions, source: Source, reporter: Reporter
) -> dict[str, int]:
    folder = restored_folder.held(path)
    try:
        own = restored_folder.secrets_for(folder, source.secrets)
        keys = access.parse_keys(own["master_key"])
        checks.refuse_newer(source.described, migrations())
        checks.refuse_other_keys(source.described, keys)
        revoked = await revocations_since(options, source.described, reporter)
        prepare, settings = _recovery(folder, source)
        async with restored_folder.restoring(
            folder, source.place, source.secrets | {FILE: own}, prepare=prepare, settings=settings
        ) as postgres:
            dsn = postgres.url("postgres", postgres.superuser)
            work = _work(options, source.place, dsn, keys=keys, passwords=own["database"])
            work = replace(work, revoked=revoked)
            if source.target is not None:
                return await check_and_finish(work, reporter)
            return await work.run(source.described, reporter)
    finally:
        folder.release()


def _recovery(
    folder: Folder, source: Source
) -> tuple[Callable[[], Awaitable[None]] | None, tuple[str, ...]]:
    """Returns what puts a base backup into the folder, and the settings of its recovery."""
    if source.target is None:
        return None, ()
    return partial(copy_base, source.place, folder), source.target.settings()


def _only(options: RestoreOptions, places: dict[str, Path]) -> Path:
    """Returns the folder of the cluster that is restored alone. Raises CommandError."""
    cluster = options.cluster or MAIN
    if options.cluster is None and options.write_secrets is None and len(places) > 1:
        raise CommandError(
            f"This backup has {len(places)} clusters ({', '.join(places)}), and a data folder has one. Set "
            "AERO2_OWNER_DATABASE_URL and the DSN of each other cluster, or name one with --cluster."
        )
    if cluster not in places:
        raise CommandError(f"This backup has no cluster {cluster}, only {', '.join(places)}.")
    return places[cluster]


async def _restore_clusters(
    options: RestoreOptions, places: dict[str, Path], reporter: Reporter
) -> bool:
    """Restores all clusters of a backup. Returns False if one is meant, or a data folder. Raises
    CommandError."""
    if options.cluster or options.write_secrets or access.data_folder(options.data_dir):
        return False
    works: dict[str, tuple[Restore, Manifest]] = {}
    for cluster, place in places.items():
        described = await read_and_verify(place, reporter)
        _refuse_other_cluster(described, cluster)
        source = Source(place, described, None, _opened_secrets(options, place, described))
        one = replace(options, cluster=cluster)
        works[cluster] = (_database_work(one, source), described)
    earliest = min((described for _, described in works.values()), key=lambda each: each.taken_at)
    revoked = await revocations_since(options, earliest, reporter)
    works = {
        cluster: (replace(work, revoked=revoked), described)
        for cluster, (work, described) in works.items()
    }
    ended = await restore_deployment(works, reporter)
    tell(ended, end_keys=options.end_keys, reporter=reporter)
    reporter.say(f"Restored {len(works)} clusters. Next: start the services.")
    return True


def _refuse_other_cluster(described: Manifest, cluster: str) -> None:
    if described.cluster != cluster:
        raise CommandError(
            f"This backup is of the cluster {described.cluster}, and not of {cluster}. Name it: --cluster "
            f"{described.cluster}."
        )


def _database_work(options: RestoreOptions, source: Source) -> Restore:
    """Returns the restore into the empty database of a cluster. Raises CommandError."""
    cluster = options.cluster or MAIN
    values = source.secrets.get("environment", {}) | access.environment_secrets()
    text = values.get(access.MASTER_KEY) or access.master_key_in(source.secrets)
    if not text:
        raise CommandError(
            "The master key is missing. Name the passphrase of the backup with --passphrase-file, "
            f"or set {access.MASTER_KEY}."
        )
    dsn, passwords = access.dsn_of(cluster), access.passwords_in(values, cluster)
    return _work(options, source.place, dsn, keys=access.parse_keys(text), passwords=passwords)


def _work(
    options: RestoreOptions, place: Path, dsn: str, *, keys: Keys, passwords: Mapping[str, str]
) -> Restore:
    return Restore(
        place,
        dsn,
        keys,
        passwords,
        end_keys=options.end_keys,
        accept_audit_faults=options.accept_audit_faults,
    )
