"""Imports a file of users in batches. A second run continues where the first one stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Final

import httpx
import orjson
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from aero2.api import call, client
from aero2.failures import CommandError
from aero2.user_files import format_of
from common.contracts.user_import import TransferredUser
from common.field_errors import FieldError, field_error, field_errors
from common.unknown_fields import unknown_fields
from common.user_files import records

console = Console(stderr=True)

BATCH: Final = 250
ROOM: Final = 400_000
"""Bytes of one call; the bus carries a megabyte at most."""


@dataclass
class Tally:
    """The progress of an import. It is stored next to the file, so that a second run continues
    there."""

    fingerprint: str
    url: str
    done: int = 0
    created: int = 0
    exists: int = 0
    invalid: int = 0

    @property
    def sentence(self) -> str:
        return (
            f"{self.done:,} lines: {self.created:,} created, {self.exists:,} there already, "
            f"{self.invalid:,} refused"
        )


@dataclass
class Batch:
    """Lines that are well-formed, waiting to be sent."""

    lines: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, line: int, body: bytes) -> None:
        self.lines.append(line)
        self.bodies.append(body)
        self.size += len(body)

    def clear(self) -> None:
        self.lines, self.bodies, self.size = [], [], 0

    def fits(self, body: bytes) -> bool:
        return len(self.lines) < BATCH and self.size + len(body) <= ROOM


def run_import(
    file: Path,
    url: str,
    key: str,
    format: str = "auto",
    *,
    dry_run: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> Tally:
    """Imports a file of users and returns the counts. Continues an import that was interrupted, unless
    `restart`. Raises CommandError."""
    state = file.with_name(file.name + ".progress")
    tally = Tally(_fingerprint(file), url)
    if not restart and not dry_run and state.exists():
        tally = _resumed(state, tally)
    with ExitStack() as stack:
        source = stack.enter_context(file.open("rb"))
        bar = stack.enter_context(_progress(quiet))
        sender = _Sender(
            api=stack.enter_context(client(url, key)),
            tally=tally,
            errors=stack.enter_context(errors_file(file).open("ab" if tally.done else "wb")),
            state=None if dry_run else state,
        )
        task = bar.add_task("", total=file.stat().st_size)
        first = tally.done
        for line, body, faults in _lines(source, format_of(file, format)):
            if line <= first:
                continue
            if body is not None and not sender.batch.fits(body):
                sender.send()
                bar.update(task, completed=source.tell(), description=tally.sentence)
            sender.add(line, body, faults)
        sender.send()
        bar.update(task, completed=source.tell(), description=tally.sentence)
    if not dry_run:
        state.unlink(missing_ok=True)
    return tally


@dataclass
class _Sender:
    """Sends batches, counts their results, and writes down how far it has come. `state` is None in a dry
    run."""

    api: httpx.Client
    tally: Tally
    errors: IO[bytes]
    state: Path | None
    batch: Batch = field(default_factory=Batch)
    _seen: int = 0

    def add(self, line: int, body: bytes | None, faults: list[FieldError]) -> None:
        """Puts a line into the batch, or counts a line that is not valid."""
        self._seen = line
        if body is None:
            self.tally.invalid += 1
            _refuse(self.errors, line, faults)
        else:
            self.batch.add(line, body)

    def send(self) -> None:
        """Sends the batch and empties it."""
        if self.batch.lines:
            self._post()
        self.tally.done = self._seen or self.tally.done
        if self.state is not None:
            _keep(self.state, self.tally)
        self.batch.clear()

    def _post(self) -> None:
        dry_run = b"true" if self.state is None else b"false"
        body = b'{"dry_run":' + dry_run + b',"users":[' + b",".join(self.batch.bodies) + b"]}"
        answer = call(self.api, "POST", "/api/users/import", content=body)
        for line, arrival in zip(self.batch.lines, answer["arrivals"], strict=True):
            status = arrival["status"]
            setattr(self.tally, status, getattr(self.tally, status) + 1)
            if status == "invalid":
                _refuse(self.errors, line, arrival["errors"])
        self.errors.flush()


def _lines(source: IO[bytes], format: str) -> Iterator[tuple[int, bytes | None, list[FieldError]]]:
    """Each record with its number, as the API takes it, or with what is wrong with it."""
    for number, record in enumerate(records(source, format), 1):
        if isinstance(record, str):
            yield number, None, [field_error("line", "record_unreadable", reason=record)]
            continue
        strangers = [one.field_error() for one in unknown_fields(TransferredUser, record)]
        if strangers:  # nothing of a user is lost in silence
            yield number, None, strangers
            continue
        try:
            user = TransferredUser.model_validate(record)
        except ValidationError as error:
            listed = error.errors(include_url=False, include_input=False)
            yield number, None, field_errors(listed)
            continue
        body = user.model_dump_json(exclude_unset=True).encode()
        if len(body) > ROOM:
            yield number, None, [field_error("line", "record_too_large")]
        else:
            yield number, body, []


def _fingerprint(file: Path) -> str:
    """Of the file's size and beginning: enough to know it again."""
    with file.open("rb") as source:
        start = source.read(1 << 20)
    return f"{file.stat().st_size}:{hashlib.sha256(start).hexdigest()}"


def _resumed(state: Path, fresh: Tally) -> Tally:
    try:
        tally = Tally(**json.loads(state.read_text()))
    except (ValueError, TypeError):
        return fresh
    if tally.fingerprint != fresh.fingerprint or tally.url != fresh.url:
        raise CommandError(f"{state} belongs to another import: finish that one, or use --restart.")
    return tally


def _keep(state: Path, tally: Tally) -> None:
    """Whole or not at all."""
    draft = state.with_name(state.name + ".new")
    draft.write_text(json.dumps(asdict(tally)))
    draft.replace(state)


def errors_file(file: Path) -> Path:
    return file.with_name(file.name + ".errors.ndjson")


def _refuse(errors: IO[bytes], line: int, faults: list[FieldError]) -> None:
    """By number and reason; never what the line said."""
    errors.write(orjson.dumps({"line": line, "errors": faults}) + b"\n")


def _progress(quiet: bool) -> Progress:
    return Progress(
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )
