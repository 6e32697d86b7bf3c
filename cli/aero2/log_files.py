"""The log files of a data folder: JSON lines of services, text lines of PostgreSQL and NATS.

One file for each process, bounded: what grows beyond LOG_LIMIT moves aside and replaces what moved before.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

LOG_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of a log file."""
TEXT_TIMES: Final = (
    (re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC "), "%Y-%m-%d %H:%M:%S.%f", UTC),
    (re.compile(r"\[\d+\] (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) "), "%Y/%m/%d %H:%M:%S.%f", None),
)
"""How a line of PostgreSQL and of NATS begins. NATS writes local time."""
EARLIEST: Final = "0001-01-01T00:00:00.000000Z"
HIDDEN: Final = frozenset(
    {"at", "service", "level", "event", "module", "color_message", "exception"}
)
"""Fields of a JSON line that the text form shows in another place, or not."""


@dataclass(frozen=True)
class LogLine:
    """One line of one process. `at` is the time in UTC, as text that sorts; a line without a time (in a
    traceback) has the time of the line before it."""

    process: str
    at: str
    fields: dict[str, Any]
    """The JSON object of the line; of a text line its text as `event`."""

    @property
    def service(self) -> str:
        """The service that wrote the line: of a process with several, the line names it."""
        return str(self.fields.get("service") or self.process)

    @property
    def writer(self) -> str:
        """The service that wrote the line, or the replica of it."""
        is_replica = self.process.rpartition("-")[0] == self.service
        return self.process if is_replica else self.service

    @property
    def trace(self) -> str:
        """The trace id of the work that wrote the line, or an empty text."""
        return str(self.fields.get("trace") or "")

    def as_json(self) -> str:
        """Returns the line as JSON, with the service, the process and the time."""
        names = {"service": self.service, "process": self.process, "at": self.at}
        return orjson.dumps(self.fields | names).decode()

    def as_text(self) -> str:
        """Returns the line for people: time, service, level, event, and the other fields."""
        level = str(self.fields.get("level", ""))
        others = [
            f"{name}={_value(value)}" for name, value in self.fields.items() if name not in HIDDEN
        ]
        words = [str(self.fields.get("event", "")), *others]
        text = f"{self.at[11:23]} {self.writer:9} {level:7} {' '.join(words)}"
        exception = self.fields.get("exception")
        return f"{text}\n{exception}" if exception else text


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else orjson.dumps(value, default=str).decode()


class LineParser:
    """Parses the lines of one file in their order."""

    def __init__(self, process: str) -> None:
        self.process = process
        self._last = EARLIEST

    def parse(self, line: bytes) -> LogLine | None:
        """Returns None for an empty line."""
        if not (text := line.decode("utf-8", "replace").rstrip("\n")):
            return None
        fields = _json_object(line)
        if fields is None:
            fields = {"event": text}
        self._last = _time(fields, text) or self._last
        return LogLine(self.process, self._last, fields)


def _json_object(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None


def _time(fields: dict[str, Any], text: str) -> str | None:
    """Returns the time of a line: `at` of our services, `ts` of Caddy, the beginning of a text."""
    if isinstance(at := fields.get("at"), str):
        return at
    if isinstance(seconds := fields.get("ts"), int | float):
        return _utc(datetime.fromtimestamp(seconds, UTC))
    for pattern, form, zone in TEXT_TIMES:
        if match := pattern.match(text):
            return _utc(datetime.strptime(match[1], form).replace(tzinfo=zone))
    return None


def _utc(time: datetime) -> str:
    """Returns a time as the services write it. A time without a zone is local."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def rotate(log: Path) -> None:
    """Moves the content of a log aside if it has reached LOG_LIMIT. The process appends to the file, so it
    can be emptied under the process."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with log.open("r+b") as file:
                file.truncate(0)


def last_lines(log: Path, count: int) -> list[str]:
    """Returns the last lines of a log as text, or nothing if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, 2) - 8192, 0))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def log_files(folder: Path, process: str) -> list[Path]:
    """Returns the log of a process, with the older part that was moved aside before it."""
    log = folder / f"{process}.log"
    return [file for file in (log.with_suffix(".log.1"), log) if file.exists()]


def read_lines(folder: Path, process: str, size: int) -> Iterator[LogLine]:
    """Yields the lines of a process, the oldest first: of its present log the first `size` bytes."""
    parser = LineParser(process)
    for file in log_files(folder, process):
        left = size if file.suffix == ".log" else file.stat().st_size
        with file.open("rb") as lines:
            for line in lines:
                left -= len(line)
                if left < 0:
                    break
                if parsed := parser.parse(line):
                    yield parsed


class LogFollower:
    """Reads what is appended to the log of a process from now on."""

    def __init__(self, folder: Path, process: str) -> None:
        self.process = process
        self._file = folder / f"{process}.log"
        self._parser = LineParser(process)
        self.position = self._size()
        """The bytes that were there before."""
        self._incomplete = b""

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0

    def new_lines(self) -> Iterator[LogLine]:
        """Yields the complete lines since the last call. A log that was emptied is read from its
        beginning."""
        size = self._size()
        if size < self.position:
            self.position, self._incomplete = 0, b""
        if size == self.position:
            return
        with self._file.open("rb") as file:
            file.seek(self.position)
            content = file.read(size - self.position)
        self.position += len(content)
        *lines, self._incomplete = (self._incomplete + content).split(b"\n")
        for line in lines:
            if parsed := self._parser.parse(line):
                yield parsed
