"""Which events of the stream are sealed, and how long the oldest has waited."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from common.ids import new_id
from tenancy import sealing_job
from tenancy.audit_sealing import Outcome
from tenancy.sealing_job import SealingJob

APP = "01900000-0000-7000-8000-00000000000a"


def line(event_type: str, *, id: str = "", app_id: str = APP) -> bytes:
    return orjson.dumps({"id": id or new_id(), "app_id": app_id, "event_type": event_type})


def message(*lines: bytes, kind: str = "batch") -> Any:
    return SimpleNamespace(data=b"\n".join(lines), subject=f"audit.oidc.{APP}.{kind}")


async def heard(*messages: Any) -> set[str]:
    """Returns the ids of the events that are to be sealed after these messages."""
    unused: Any = None
    sealing = SealingJob(unused, unused)
    for each in messages:
        await sealing._heard(each)
    assert set(sealing._waiting) <= {APP}
    return sealing._waiting[APP].ids if sealing._waiting else set()


async def test_every_record_of_a_message_is_sealed() -> None:
    """All lines count, whatever their type. A message that comes again adds nothing."""
    ids = [new_id() for _ in range(50)]
    batch = message(*(line("logout" if n % 2 else "login", id=id) for n, id in enumerate(ids)))

    assert await heard(batch, batch) == set(ids)


async def test_activity_is_not_sealed() -> None:
    """It is not in the log, whether it comes as activity, in a batch, or under its type as earlier
    versions sent it."""
    assert (
        await heard(
            message(line("login"), kind="activity"),
            message(line("token_refreshed")),
            message(line("token_refreshed"), kind="token_refreshed"),
        )
        == set()
    )


async def test_a_record_of_an_earlier_version_is_sealed() -> None:
    """It stands alone under its type."""
    id = new_id()

    assert await heard(message(line("login", id=id), kind="login")) == {id}


async def test_a_line_that_is_no_event_is_left_out() -> None:
    """It would fail the statement that looks up all events. The others of its message are sealed."""
    one, two = new_id(), new_id()
    bad = [b"", b"{", line("login", id="no-id"), line("login", app_id=new_id()), line("Bad type")]

    assert await heard(message(line("login", id=one), *bad, line("logout", id=two))) == {one, two}


async def test_the_ids_of_an_application_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events beyond the bound wait for the sweep."""
    monkeypatch.setattr(sealing_job, "MAX_IDS", 60)

    assert len(await heard(*(message(*(line("login") for _ in range(50))) for _ in range(3)))) == 60


async def test_the_lag_is_that_of_the_oldest_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """It grows while the chain is locked, and is 0 once everything is sealed."""
    now = 100.0
    clock: Any = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr(sealing_job, "time", clock)
    unused: Any = None
    sealing = SealingJob(unused, unused)
    outcome = Outcome.LOCKED

    async def seal_events(*_: object) -> Outcome:
        return outcome

    monkeypatch.setattr(sealing_job, "seal_events", seal_events)
    assert sealing.lag() == 0
    await sealing._heard(message(line("login")))
    now = 107.0
    await sealing._seal_due(APP, sealing._of(APP), now)
    assert sealing.lag() == 7

    outcome = Outcome.DONE
    now = 130.0
    await sealing._seal_due(APP, sealing._of(APP), now)
    assert sealing.lag() == 0
