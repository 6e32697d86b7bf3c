"""JSON logs: one wide line for each HTTP request and each served contract, and details that no
reply can hold.

Every line has `at`, `level`, `event`, `service`, `version` and `replica`. Lines of a request's work also
have `trace`, and `span` if the trace is recorded (`common.tracing`); those of a service have `contract`.
They never hold tokens, codes, passwords or e-mail addresses.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, cast

import orjson

# structlog imports rich wherever it is installed, for coloured tracebacks that JSON logs never have: a
# quarter of a second of every service's start. For the moment of the import it finds no rich.
_hidden = sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]
import structlog  # noqa: E402

from common.version import VERSION  # noqa: E402

if _hidden:
    del sys.modules["rich"]

trace: ContextVar[str] = ContextVar("trace", default="")
"""The traceparent of the work that this task does. Each of its log lines has its trace id."""
contract: ContextVar[str] = ContextVar("contract", default="")
"""The contract that this task answers. Each of its log lines names it."""
service: ContextVar[str] = ContextVar("service", default="")
"""The service whose work this task does, in a process of several services. Each of its log lines
names it."""

TRACEPARENT: Final = 55
"""Characters of a traceparent (W3C Trace Context level 1, section 3.2)."""
SAMPLED: Final = "-01"
"""How the traceparent of a recorded trace ends."""
_ADDRESS: Final = re.compile(r"""[^\s"'<>()=,;]{1,128}@[^\s"'<>()=,;]{1,255}""")
"""An e-mail address in a message of a library or of PostgreSQL, or a name and password in a URL.
Bounded, since the text may be hostile."""
_RESERVED = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "taskName",
}


class Output:
    """Standard output that never raises: a full disk costs lines, not requests.

    Nothing is buffered, so what could not be written is lost and counted, and takes no memory.
    """

    def __init__(self) -> None:
        self.lost = 0
        """Writes that failed since the last one that succeeded."""

    def write(self, data: bytes) -> int:
        """Writes at once. A failure is counted and not raised."""
        if self.lost:  # the write that failed may have ended within a line
            fields = {"event": "log lines lost", "writes": self.lost, **process.fields()}
            fields |= {"level": "warning", "at": _now()}
            data = b"\n" + orjson.dumps(fields) + b"\n" + data
        try:
            _write_all(data)
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lost += 1
        else:
            self.lost = 0
        return len(data)

    def flush(self) -> None:
        """Does nothing: `write` keeps nothing back."""


def _now() -> str:
    """As structlog's TimeStamper writes it, so that all lines sort and filter alike."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _write_all(data: bytes) -> None:
    buffer = sys.stdout.buffer
    raw = getattr(buffer, "raw", buffer)
    rest = memoryview(data)
    while rest:
        written = raw.write(rest)
        if not written:  # a pipe that does not block is full
            raise BlockingIOError
        rest = rest[written:]


output = Output()


@dataclass
class ProcessName:
    """Fields of every line: the process that wrote it."""

    service: str = ""
    replica: str = "0"

    def fields(self) -> dict[str, Any]:
        """Returns the fields. In a process of several services, a task may name its own."""
        return {
            "service": service.get() or self.service,
            "version": VERSION,
            "replica": self.replica,
        }


process = ProcessName()


def configure(service: str, level: str = "info", replica: str = "0") -> None:
    """Writes all that this process logs, through structlog or logging, as JSON to stdout."""
    number = logging.getLevelNamesMapping()[level.upper()]
    process.service, process.replica = service, replica
    structlog.configure(
        processors=[
            _add_process,
            _add_work,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _hide_addresses,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(file=cast(BinaryIO, output)),
        cache_logger_on_first_use=True,
    )
    lines.on = number <= logging.INFO
    handler = _Bridge()
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    for noisy in ("uvicorn.access", "httpx", "asyncio", "nats"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _add_process(_: Any, __: str, event: Any) -> Any:
    return process.fields() | event


def _add_work(_: Any, __: str, event: Any) -> Any:
    """Adds the trace and the contract of the work, unless the line names others."""
    if (current := contract.get()) and "contract" not in event:
        event["contract"] = current
    _split_trace(event, event.get("trace") or trace.get())
    return event


def _split_trace(event: dict[str, Any], traceparent: str) -> None:
    """Sets the trace id, and the span if it is recorded. Otherwise nobody could find the span."""
    if len(traceparent) == TRACEPARENT:
        event["trace"] = traceparent[3:35]
        if traceparent.endswith(SAMPLED):
            event["span"] = traceparent[36:52]


def _hide_addresses(_: Any, __: str, event: Any) -> Any:
    """Hides addresses in texts that we did not write, such as the DETAIL of PostgreSQL."""
    for name, value in event.items():
        if isinstance(value, str) and "@" in value:
            event[name] = _ADDRESS.sub("[hidden]", value)
    return event


def _dumps(event: Any, **_: Any) -> bytes:
    return orjson.dumps(event, default=str)


class _Bridge(logging.Handler):
    """Lines of libraries that use `logging`, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        extra = {k: v for k, v in record.__dict__.items() if k not in _RESERVED}
        logger = structlog.get_logger(module=record.name)
        try:
            message = record.getMessage()
        except Exception:  # the arguments do not fit the text
            message = str(record.msg)
        logger.log(record.levelno, message, exc_info=record.exc_info or None, **extra)


class Lines:
    """The wide lines of a busy process: encoded once, written in batches.

    A line waits at most `EVERY` seconds in memory; a killed process loses those.
    """

    EVERY = 0.1

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self.on = True
        """Whether lines are written."""

    def write(self, fields: dict[str, Any], *, level: str = "info") -> None:
        """Takes a line and returns at once. It is written a moment later. `trace` in it is a
        traceparent."""
        if not self.on:
            return
        fields["service"] = service.get() or process.service
        fields["version"], fields["replica"] = VERSION, process.replica
        fields["level"] = level
        if "trace" in fields:
            _split_trace(fields, fields["trace"])
        # orjson writes it as `_now` does, in a quarter of the time.
        fields["at"] = datetime.now(UTC)
        if not self._waiting:
            asyncio.get_running_loop().call_later(self.EVERY, self.flush)
        self._waiting.append(orjson.dumps(fields, default=str, option=orjson.OPT_UTC_Z))

    def flush(self) -> None:
        """Writes the lines that wait."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            output.write(b"\n".join([*waiting, b""]))


lines = Lines()


def get(name: str) -> Any:
    """Returns a structured logger: `log.info("event", key=value)`."""
    return structlog.get_logger(module=name)  # lazy: modules ask before `configure`
