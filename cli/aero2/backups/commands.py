"""`aero2 backup`, as the command line calls it, and what all commands of backups say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aero2 import cluster_names
from aero2.backups import access, sealed_secrets
from aero2.backups.backup import Backup
from aero2.backups.deployment_backup import DeploymentBackup
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.failures import CommandError
from aero2.migration_steps import Connection
from aero2.owner_urls import read_owner_urls
from aero2.secret_variables import OWNER
from common.homes import MAIN


def passphrase_or_refusal(file: Path | None, *, without_secrets: bool) -> str:
    """Returns the passphrase that seals the secrets; empty if they are left out. Raises CommandError."""
    if without_secrets == (file is not None):
        raise CommandError(
            "Name a passphrase with --passphrase-file, which seals the secrets. Without its master "
            "key nobody can read a backup's sealed columns. If you keep the secrets in another way, "
            "say --without-secrets (and no --passphrase-file)."
        )
    return sealed_secrets.passphrase_in(file) if file else ""


def backup(
    target: Path,
    passphrase_file: Path | None,
    *,
    without_secrets: bool,
    data_dir: Path | None,
    cluster: str | None = None,
) -> None:
    """Writes a backup of all clusters or of one, and says what is in it. Raises CommandError."""
    passphrase = passphrase_or_refusal(passphrase_file, without_secrets=without_secrets)
    secrets = None if without_secrets else access.secrets_of(data_dir)
    reporter = Reporter()

    async def run() -> dict[str, Manifest]:
        if access.data_folder(data_dir) is None:
            dsns = read_owner_urls()
            if cluster is None and len(dsns) > 1:
                whole = DeploymentBackup(dsns, target.absolute(), secrets, passphrase)
                return await whole.run(reporter)
        elif cluster not in (None, MAIN):
            raise CommandError(f"`aero2 up` has one cluster, {MAIN}.")
        async with _database(data_dir, cluster) as dsn:
            work = Backup(dsn, target.absolute(), secrets, passphrase)
            return {"": await work.run(reporter)}

    for name, manifest in asyncio.run(run()).items():
        rows = sum(manifest.counts.values())
        size = sum(each.bytes for each in manifest.files.values())
        reporter.say(
            f"Saved {rows:,} rows in {target / name} ({size / 2**20:.1f} MiB): "
            f"version {manifest.version}, {manifest.taken_at}, {manifest.lsn}."
        )
    if secrets is None:
        reporter.say(
            "The secrets are not in it. A restore needs the master key of this deployment."
        )
    else:
        reporter.say("The secrets in it need the passphrase. Keep that somewhere else.")


@asynccontextmanager
async def _database(data_dir: Path | None, cluster: str | None) -> AsyncIterator[str]:
    """Yields the DSN of the only cluster, or of the one that is named. Raises CommandError if applications live
    in others, and none was named."""
    if cluster is not None and access.data_folder(data_dir) is None:
        yield access.dsn_of(cluster)
        return
    async with access.database_of(data_dir) as dsn:
        if cluster is None:
            async with access.connected(dsn) as db:
                await _refuse_further_homes(db)
        yield dsn


async def _refuse_further_homes(db: Connection) -> None:
    """Raises CommandError if applications live in other clusters, which this backup would not have."""
    if others := sorted(await cluster_names.in_use(db) - {await cluster_names.of_this(db)}):
        raise CommandError(
            f"Applications live in the cluster {others[0]}. Set {OWNER}_{others[0].upper()}, so that it is "
            f"saved, too, or save this cluster alone: --cluster {MAIN}."
        )


def tell(ended: dict[str, int], *, end_keys: bool, reporter: Reporter) -> None:
    """Says what a restore has ended."""
    sessions, tokens = ended.get("user_sessions", 0), ended.get("token_families", 0)
    reporter.say(
        f"Ended: {sessions} sessions, {tokens} grants of tokens, and all codes and links. "
        f"{ended.get('mail_outbox', 0)} waiting mails are not sent."
    )
    if end_keys:
        keys, secrets = ended["application_api_keys"], ended["oauth_client_secrets"]
        reporter.say(f"Also ended: {keys} API keys and {secrets} client secrets.")
    else:
        reporter.say(
            "Passwords and signing keys are those of that time, also if they were replaced since, and so "
            "are API keys and client secrets, unless the stream says that they were revoked."
        )
