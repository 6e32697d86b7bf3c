"""JSON logs: one wide line per HTTP request and per served contract, and what no reply can say.

Never tokens, codes, passwords or e-mail addresses.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import Any

import orjson

from common.lean import without

with without("rich"):
    import structlog

_RESERVED = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "taskName",
}


def configure(service: str, level: str = "info") -> None:
    """Everything this process logs, through structlog or logging, becomes JSON on stdout."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    lines.configure(service, number <= logging.INFO)
    handler = _Bridge()
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    for noisy in ("uvicorn.access", "httpx", "asyncio", "nats"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _dumps(event: Any, **_: Any) -> bytes:
    return orjson.dumps(event, default=str)


class _Bridge(logging.Handler):
    """Lines of libraries that use `logging`, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        extra = {k: v for k, v in record.__dict__.items() if k not in _RESERVED}
        logger = structlog.get_logger(module=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None, **extra)


class Lines:
    """The wide lines of a busy process: encoded once, written in batches.

    A line waits at most `EVERY` seconds in memory; a killed process loses those.
    """

    EVERY = 0.1

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._service = ""
        self._on = True

    def configure(self, service: str, on: bool) -> None:
        self._service, self._on = service, on

    def write(self, fields: dict[str, Any]) -> None:
        if not self._on:
            return
        fields["service"] = self._service
        fields["at"] = time.time()
        if not self._waiting:
            asyncio.get_running_loop().call_later(self.EVERY, self.flush)
        self._waiting.append(orjson.dumps(fields, default=str))

    def flush(self) -> None:
        if self._waiting:
            self._waiting.append(b"")
            sys.stdout.buffer.write(b"\n".join(self._waiting))
            sys.stdout.buffer.flush()
            self._waiting.clear()


lines = Lines()


def get(name: str) -> Any:
    """A structured logger: `log.info("event", key=value)`."""
    return structlog.get_logger(module=name)  # lazy: modules ask before `configure`
