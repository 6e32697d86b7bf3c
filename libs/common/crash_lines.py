"""Log lines of what nobody catches: a crash, a thread that dies, a warning of Python."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from common import logs

log = logs.get(__name__)


def install() -> None:
    """Writes warnings and exceptions that nobody catches as lines of the log, instead of text on standard
    error. `logs.configure` comes before."""
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _thread_died
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logs.lines.flush()
    log.critical("crashed", exc_info=(kind, error, at))


def _thread_died(args: Any) -> None:
    if args.exc_value is not None:
        thread = args.thread.name if args.thread else None
        log.error(
            "thread died",
            thread=thread,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )


def _unraisable(args: Any) -> None:
    if args.exc_value is not None:
        log.error(
            "exception ignored",
            where=args.err_msg or type(args.object).__name__,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )
