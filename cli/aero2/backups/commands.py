"""`aero2 backup`, as the command line calls it, and what all commands of backups say."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aero2.backups import access, sealed_secrets
from aero2.backups.backup import Backup
from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.failures import CommandError


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
    target: Path, passphrase_file: Path | None, *, without_secrets: bool, data_dir: Path | None
) -> None:
    """Writes a backup, and says what is in it. Raises CommandError."""
    passphrase = passphrase_or_refusal(passphrase_file, without_secrets=without_secrets)
    secrets = None if without_secrets else access.secrets_of(data_dir)
    reporter = Reporter()

    async def run() -> Manifest:
        async with access.database_of(data_dir) as dsn:
            work = Backup(dsn, target.absolute(), secrets, passphrase)
            return await work.run(reporter)

    made = asyncio.run(run())
    rows, size = sum(made.counts.values()), sum(each.bytes for each in made.files.values())
    reporter.say(
        f"Saved {rows:,} rows in {target} ({size / 2**20:.1f} MiB): "
        f"version {made.version}, {made.taken_at}, {made.lsn}."
    )
    if secrets is None:
        reporter.say(
            "The secrets are not in it. A restore needs the master key of this deployment."
        )
    else:
        reporter.say("The secrets in it need the passphrase. Keep that somewhere else.")


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
            "API keys, client secrets, passwords and signing keys are those of that time, also if "
            "they were replaced or revoked since."
        )
