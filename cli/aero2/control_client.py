"""Commands to a running `aero2 up`, over the socket in its data folder."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aero2.control_socket import socket_path
from aero2.failures import CommandError

Show = Callable[[str], None]


def command(data_dir: Path, show: Show, **request: Any) -> None:
    """Sends a command, and shows each line of the answer until the last one. Raises CommandError if no
    `aero2 up` runs, if it refuses, and if it ends."""
    with _connected(data_dir) as connection, connection.makefile("r", encoding="utf-8") as answers:
        connection.sendall(json.dumps(request).encode() + b"\n")
        if threading.current_thread() is threading.main_thread():
            _ask_for_end_on_signal(connection)
        with suppress(OSError):
            for line in answers:
                answer = json.loads(line)
                if "text" in answer:
                    show(answer["text"])
                elif "error" in answer:
                    raise CommandError(answer["error"], detail=answer.get("detail", ""))
                else:
                    return
        raise CommandError("aero2 up has ended, and all its processes with it.")


def _connected(data_dir: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_path(data_dir.absolute() / "run") as path:
            connection.connect(path)
    except OSError as error:
        connection.close()
        if isinstance(error, PermissionError):
            raise CommandError(f"The data folder {data_dir} belongs to somebody else.") from None
        raise CommandError(
            f"No aero2 up runs on the data folder {data_dir} (--data-dir), or it has not started yet."
        ) from None
    return connection


def _ask_for_end_on_signal(connection: socket.socket) -> None:
    """At the first signal to stop asks for the end, and goes on showing what happens. The second one ends
    the command at once."""

    def ask(number: int, frame: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, ask)
