"""Records the round trips to the database that some code makes in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from common.pipelined_connection import PipelinedConnection
from common.pipelined_messages import BINDING

CALLS: Final = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


@contextmanager
def recorded_round_trips() -> Iterator[list[str]]:
    """Yields a list that grows by the text of each statement that is waited for. COMMIT is a round trip too;
    BEGIN and what is deferred go along with one; what a connection prepares once is none."""
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(PipelinedConnection, name, _recording(name, 0, made))
        patch.setattr(PipelinedConnection, "pipelined", _recording("pipelined", 1, made))
        yield made


def _recording(name: str, position: int, made: list[str]) -> Any:
    """Returns the method, which notes the argument at `position`: the text of the statement."""
    method = getattr(PipelinedConnection, name)

    async def call(self: PipelinedConnection, *args: Any, **options: Any) -> Any:
        if args[position] != BINDING:
            made.append(args[position])
        return await method(self, *args, **options)

    return call
