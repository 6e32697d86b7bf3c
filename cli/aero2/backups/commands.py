"""`aero2 backup` and `aero2 restore`, as the command line calls them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aero2.backups import access, checks, restored_folder, sealed_secrets
from aero2.backups.backup import Backup
from aero2.backups.manifest import SECRETS, Manifest
from aero2.backups.progress import Reporter
from aero2.backups.restore import Restore, read_and_verify
from aero2.embedded.secrets import FILE
from aero2.failures import CommandError
from aero2.migrate import folder as migrations
from common.crypto import Keys


def backup(
    target: Path, passphrase_file: Path | None, *, without_secrets: bool, data_dir: Path | None
) -> None:
    """Writes a backup, and says what is in it. Raises CommandError."""
    if without_secrets == (passphrase_file is not None):
        raise CommandError(
            "Name a passphrase with --passphrase-file, which seals the secrets. Without its master "
            "key nobody can read a backup's sealed columns. If you keep the secrets in another way, "
            "say --without-secrets (and no --passphrase-file)."
        )
    passphrase = sealed_secrets.passphrase_in(passphrase_file) if passphrase_file else ""
    secrets = None if without_secrets else access.secrets_of(data_dir)
    reporter = Reporter()

    async def run() -> Manifest:
        async with access.database_of(data_dir) as dsn:
            work = Backup(dsn, target.absolute(), secrets, passphrase)
            return await work.run(reporter)

    made = asyncio.run(run())
    rows, size = sum(made.counts.values()), sum(each.bytes for each in made.files.values())
    reporter.say(
        f"Saved {rows:,} rows of {len(made.counts)} tables in {target} ({size / 2**20:.1f} MiB): "
        f"version {made.version}, {made.taken_at}, {made.lsn}."
    )
    if secrets is None:
        reporter.say(
            "The secrets are not in it. A restore needs the master key of this deployment."
        )
    else:
        reporter.say("The secrets in it need the passphrase. Keep that somewhere else.")


@dataclass(frozen=True)
class RestoreOptions:
    """The options of the command line."""

    source: Path
    passphrase_file: Path | None
    data_dir: Path | None
    end_keys: bool = False
    accept_audit_faults: bool = False
    write_secrets: Path | None = None


def restore(options: RestoreOptions) -> None:
    """Restores a backup, and says what has ended. Raises CommandError."""
    asyncio.run(_restore(options, Reporter()))


async def _restore(options: RestoreOptions, reporter: Reporter) -> None:
    described = await read_and_verify(options.source, reporter)
    secrets = _opened_secrets(options, described)
    if options.write_secrets is not None:
        restored_folder.write_secrets(options.write_secrets, secrets)
        return
    path = access.data_folder(options.data_dir)
    if path is None:
        ended = await _restore_database(options, described, secrets, reporter)
        start = "the services"
    else:
        ended = await _restore_folder(path, options, described, secrets=secrets, reporter=reporter)
        start = f"aero2 up --data-dir {path}"
    _tell(ended, described, options, reporter)
    reporter.say(f"Restored. Next: start {start}.")


def _opened_secrets(options: RestoreOptions, described: Manifest) -> dict[str, Any]:
    """Returns the secrets of the backup, if a passphrase is given."""
    if options.passphrase_file is None:
        return {}
    if SECRETS not in described.files:
        raise CommandError("This backup was made --without-secrets.")
    passphrase = sealed_secrets.passphrase_in(options.passphrase_file)
    return sealed_secrets.open_sealed((options.source / SECRETS).read_text(), passphrase)


async def _restore_folder(
    path: Path,
    options: RestoreOptions,
    described: Manifest,
    *,
    secrets: dict[str, Any],
    reporter: Reporter,
) -> dict[str, int]:
    folder = restored_folder.held(path)
    try:
        own = restored_folder.secrets_for(folder, secrets)
        keys = access.parse_keys(own["master_key"])
        checks.refuse_newer(described, migrations())
        checks.refuse_other_keys(described, keys)
        all_secrets = secrets | {FILE: own}
        async with restored_folder.restoring(folder, options.source, all_secrets) as postgres:
            dsn = postgres.url("postgres", postgres.superuser)
            return await _work(options, dsn, keys, own["database"]).run(described, reporter)
    finally:
        folder.release()


async def _restore_database(
    options: RestoreOptions, described: Manifest, secrets: dict[str, Any], reporter: Reporter
) -> dict[str, int]:
    kept = secrets.get("environment", {}) | os.environ
    text = kept.get(access.MASTER_KEY) or access.master_key_in(secrets)
    if not text:
        raise CommandError(
            f"The master key is missing. Name the passphrase of the backup with --passphrase-file, "
            f"or set {access.MASTER_KEY}."
        )
    passwords = {role: kept[name] for role, name in access.PASSWORDS.items() if kept.get(name)}
    work = _work(options, os.environ[access.OWNER], access.parse_keys(text), passwords)
    return await work.run(described, reporter)


def _work(options: RestoreOptions, dsn: str, keys: Keys, passwords: dict[str, str]) -> Restore:
    return Restore(
        options.source,
        dsn,
        keys,
        passwords,
        end_keys=options.end_keys,
        accept_audit_faults=options.accept_audit_faults,
    )


def _tell(
    ended: dict[str, int], described: Manifest, options: RestoreOptions, reporter: Reporter
) -> None:
    sessions, tokens = ended.get("user_sessions", 0), ended.get("token_families", 0)
    reporter.say(
        f"The data is that of {described.taken_at}. Ended: {sessions} sessions, {tokens} grants of "
        f"tokens, and all codes and links. {ended.get('mail_outbox', 0)} waiting mails are not sent."
    )
    if options.end_keys:
        keys, secrets = ended["application_api_keys"], ended["oauth_client_secrets"]
        reporter.say(f"Also ended: {keys} API keys and {secrets} client secrets.")
    else:
        reporter.say(
            "API keys, client secrets, passwords and signing keys are those of that time, also if "
            "they were replaced or revoked since."
        )
