"""What every log line has, and what none has."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from tests.kit.instance import environment

from common import crash_lines, logs
from common.version import VERSION

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


class Written:
    """Standard output of a process."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, data: Any) -> int:
        self.content += bytes(data)
        return len(data)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.content.splitlines() if line]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    found = Written()
    stdout = SimpleNamespace(buffer=SimpleNamespace(raw=found))
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stdout=stdout))
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    logs.configure("identity", "info", "r1")
    crash_lines.install()
    yield found
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)
    logs.configure("test", "warning")
    logs.lines.on = True


def crash() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        sys.excepthook(*sys.exc_info())


def dying_thread() -> None:
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


class Broken:
    def __del__(self) -> None:
        raise ValueError("no")


WAYS: dict[str, Callable[[], object]] = {
    "ours": lambda: logs.get("x").warning("happened", count=1),
    "a library": lambda: logging.getLogger("nats.aio.client").error("lost %s", "it"),
    "a library with arguments that do not fit": lambda: logs._Bridge().handle(
        logging.LogRecord("x", logging.ERROR, "", 0, "%d", ("it",), None)
    ),
    "a warning": lambda: warnings.warn("old", DeprecationWarning, stacklevel=1),
    "a crash": crash,
    "a thread": dying_thread,
    "an exception in a destructor": lambda: Broken(),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_line_names_its_process(written: Written, way: str) -> None:
    """A line is JSON with time, level, event, service, version and replica, also one of a library."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        crash_lines.install()
        WAYS[way]()

    (line,) = written.lines
    assert line.keys() >= {"at", "level", "event"}
    assert (line["service"], line["version"], line["replica"]) == ("identity", VERSION, "r1")


async def test_wide_lines_name_their_process_and_trace(written: Written) -> None:
    """A span is named only if the trace is recorded: nobody could find another one."""
    logs.lines.write({"event": "served", "trace": f"00-{TRACE}-{SPAN}-00"})
    logs.lines.write({"event": "served", "trace": f"00-{TRACE}-{SPAN}-01"})
    logs.lines.flush()

    unrecorded, recorded = written.lines
    assert unrecorded["service"] == "identity"
    assert (unrecorded["version"], unrecorded["replica"]) == (VERSION, "r1")
    assert (unrecorded["trace"], "span" in unrecorded) == (TRACE, False)
    assert (recorded["trace"], recorded["span"]) == (TRACE, SPAN)


def test_lines_of_work_name_trace_and_contract(written: Written) -> None:
    """A line that names a trace or contract itself keeps it."""
    tokens = logs.trace.set(f"00-{TRACE}-{SPAN}-01"), logs.contract.set("rbac.role.get")
    try:
        logging.getLogger("asyncpg").warning("slow")
        logs.get("x").info("other", contract="rbac.role.create", trace=f"00-{'1' * 32}-{SPAN}-00")
    finally:
        logs.trace.reset(tokens[0])
        logs.contract.reset(tokens[1])
    logs.get("x").info("outside")

    work, other, outside = written.lines
    assert (work["trace"], work["span"], work["contract"]) == (TRACE, SPAN, "rbac.role.get")
    assert (other["trace"], other["contract"]) == ("1" * 32, "rbac.role.create")
    assert not outside.keys() & {"trace", "span", "contract"}


BROKEN_START = """
from common.service import ServiceProgram, run
from common.settings import Settings

class Program(ServiceProgram):
    def prepare(self, settings):
        raise RuntimeError("no way")

run(Program("identity", Settings, None))
"""


def test_a_crash_at_the_start_is_one_line() -> None:
    """Before anything is connected, too."""
    key = {"AERO2_MASTER_KEY": "k1:q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="}
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN_START],
        env=environment() | key,
        capture_output=True,
        check=False,
    )

    (line,) = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert ended.stderr == b""
    assert orjson.loads(line)["event"] == "crashed"
    assert "RuntimeError: no way" in orjson.loads(line)["exception"]


def test_a_line_hides_addresses_of_messages_that_others_wrote(written: Written) -> None:
    """PostgreSQL's DETAIL has the e-mail address of a conflict, and an error may quote a whole DSN."""
    try:
        raise RuntimeError("Key (email)=(ann@example.com) exists; postgresql://u:secret@h/db")
    except RuntimeError:
        logs.get("x").exception("unhandled", answer="550 <bob@example.com> unknown")

    text = written.content.decode()
    assert "RuntimeError: Key (email)=([hidden]) exists" in text
    assert not [word for word in ("ann@", "bob@", "example.com", "secret") if word in text]
