"""Finds and reads the audit stream, which knows what was revoked since the backup."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import nats.errors
from nats.js.errors import Error as StreamError

from aero2.backups.manifest import Manifest
from aero2.backups.progress import Reporter
from aero2.backups.revocations import Revocations, revoked_since
from aero2.connection import connected_as, login_of_folder
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import FILE
from aero2.failures import CommandError
from aero2.secret_variables import secret_of
from common.nats_logins import parse_login
from common.secret_files import lines

READER: Final = "tenancy"
"""The user of NATS that may read the stream."""
UNREAD: Final = (
    "The stream was not read, so API keys, client secrets and users that were revoked or disabled since the "
    "backup are as they were in it. Name the stream with AERO2_NATS_URL, or --stream-of, to end them, or end all "
    "keys with --end-keys."
)


class StreamOptions(Protocol):
    """The options that name the stream."""

    @property
    def stream_of(self) -> Path | None: ...
    @property
    def without_stream(self) -> bool: ...


async def revocations_since(
    options: StreamOptions, described: Manifest, reporter: Reporter
) -> Revocations | None:
    """Returns what was revoked since a backup; None, and says so, if no stream is named. Raises CommandError if
    it cannot be read."""
    place = None if options.without_stream else _place(options)
    if place is None:
        reporter.say(UNREAD)
        return None
    url, login, password = place
    moment = datetime.fromisoformat(described.taken_at)
    try:
        async with connected_as(READER, url, password, login=login) as nc:
            revocations = await revoked_since(nc.jetstream(timeout=10), moment)
    except (CommandError, StreamError, nats.errors.Error, TimeoutError) as error:
        raise CommandError(
            f"What was revoked since the backup is unknown: {error} Restore with --without-stream if the stream "
            "is lost; --end-keys then ends all keys."
        ) from None
    if revocations.begins is None or revocations.begins > moment:
        begins = f"{revocations.begins:%Y-%m-%d %H:%M} UTC" if revocations.begins else "never"
        reporter.say(
            f"The stream begins later than the backup ({begins}): what was revoked before is as it was in the "
            "backup. --end-keys ends all keys."
        )
    return revocations


def _place(options: StreamOptions) -> tuple[str, str, str] | None:
    """Returns URL, login and password of the stream that is meant. Raises CommandError."""
    if options.stream_of is not None:
        if not (options.stream_of / FILE).is_file():
            raise CommandError(f"{options.stream_of} is no data folder of `aero2 up`.")
        return login_of_folder(Folder.at(options.stream_of), READER)
    url = os.environ.get("AERO2_NATS_URL")
    if not url:
        return None
    if os.environ.get("AERO2_NATS_USER", READER) != READER:
        raise CommandError(
            f"AERO2_NATS_URL is set, to read what was revoked since the backup. Set AERO2_NATS_USER={READER} and "
            "the password of that user, or say --without-stream."
        )
    line = next(iter(lines(secret_of("AERO2_NATS_PASSWORD"))), "")
    return url, *parse_login(READER, line)
