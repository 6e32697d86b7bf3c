"""A commit wakes the relay if the request has something for the stream."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context as Variables
from typing import Any

import pytest

from common import audit, outbox
from common.audit import Activity
from common.context import Context
from common.events.sessions import LoginFailed

CTX = Context("018f0000-0000-7000-8000-00000000000a")
EVENT = LoginFailed(method="password", reason="wrong_credentials")


@pytest.fixture
def commit() -> Callable[[], int]:
    """A commit, which returns how often the relay was woken until then."""
    woken: list[None] = []
    on_commit = outbox.waking(lambda: woken.append(None))

    def commit() -> int:
        on_commit()
        return len(woken)

    return commit


def request(work: Callable[[], object]) -> None:
    """Runs work as the bus runs the handler of a request: in a context of its own."""
    Variables().run(work)


def test_a_commit_without_an_entry_wakes_nobody(commit: Callable[[], int]) -> None:
    """Activity goes to the stream without the outbox."""

    def work() -> None:
        assert commit() == 0
        unused: Any = None
        Activity(unused, "identity").note(CTX, EVENT)
        assert commit() == 0

    request(work)


def test_an_entry_wakes_the_relay_at_its_commit(commit: Callable[[], int]) -> None:
    """Although the request commits something else in between. The next request knows nothing of it."""

    def work() -> None:
        audit.entry(CTX, EVENT)
        assert commit() == 1
        assert commit() == 2

    request(work)
    request(lambda: audit.entry(CTX, EVENT))

    def next_request() -> None:
        assert commit() == 2

    request(next_request)
