"""Converts an export: writes the users that an import takes, and a report of what it does not take."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson

from aero2.converters.findings import Converted
from aero2.converters.fitting import fit
from aero2.failures import CommandError
from common.address_keys import address_key

Users = Callable[[], Iterator[Converted]]
"""Reads the export from its beginning."""


@dataclass
class Report:
    """How many users were read and written, and how many have each finding."""

    read: int = 0
    written: int = 0
    findings: Counter[str] = field(default_factory=Counter)


def report_file(out: Path) -> Path:
    """Returns the name of the report of a result."""
    return out.with_name(out.name + ".report.ndjson")


def convert(system: str, users: Users, out: Path) -> Report:
    """Writes `out`, one user a line, and its report, which names users by the ids of the other system and has no
    values of theirs. Both files are for their owner alone, and are whole or not there. Reads the export twice.
    Raises CommandError."""
    chosen = _chosen(system, users)
    drafts = [path.with_name(path.name + ".new") for path in (out, report_file(out))]
    try:
        with ExitStack() as stack:
            result, notes = (stack.enter_context(_private(draft)) for draft in drafts)
            writer = _Writer(result, notes, chosen)
            for user in _fitted(system, users):
                writer.add(user)
        for draft, path in zip(drafts, (out, report_file(out)), strict=True):
            draft.replace(path)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return writer.report


def _fitted(system: str, users: Users) -> Iterator[Converted]:
    for user in users():
        fit(user, system)
        yield user


def _chosen(system: str, users: Users) -> dict[str, int]:
    """Returns for each address the number of the user who gets it. Other systems allow several users with one
    address. A user who has proven the address comes before one who has not: else somebody who typed the address of
    another person once would get their account."""
    best: dict[str, tuple[tuple[bool, bool, int], int]] = {}
    for number, user in enumerate(_fitted(system, users)):
        email = user.fields.get("email")
        if email is None or user.left_out:
            continue
        rank = (user.fields.get("email_verified", False), "password_hash" in user.fields, -number)
        key = address_key(email)
        if key not in best or best[key][0] < rank:
            best[key] = (rank, number)
    return {key: number for key, (_, number) in best.items()}


@dataclass
class _Writer:
    """Writes each user, or leaves them out, and notes what was found."""

    result: IO[bytes]
    notes: IO[bytes]
    chosen: dict[str, int]
    report: Report = field(default_factory=Report)

    def add(self, user: Converted) -> None:
        """Takes the next user of the export."""
        email = user.fields.get("email")
        if (
            email is not None
            and not user.left_out
            and self.chosen[address_key(email)] != self.report.read
        ):
            user.miss("same_address")
        self.report.read += 1
        if not user.left_out:
            self.report.written += 1
            self.result.write(orjson.dumps(user.fields) + b"\n")
        self.report.findings.update({finding.code for finding in user.findings})
        for finding in user.findings:
            line = {"user": user.old_id, "number": self.report.read, "code": finding.code}
            if finding.detail is not None:
                line["detail"] = finding.detail[:200]
            self.notes.write(orjson.dumps(line) + b"\n")


def _private(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
