"""How long an audit event has waited to be sealed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from common.ids import new_id
from common.outbox import ID
from tenancy import sealing_job
from tenancy.audit_sealing import Outcome
from tenancy.sealing_job import SealingJob

APP = "01900000-0000-7000-8000-00000000000a"


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
    message: Any = SimpleNamespace(headers={ID: new_id()}, subject=f"audit.oidc.{APP}.login")
    await sealing._heard(message)
    now = 107.0
    await sealing._seal_due(APP, sealing._of(APP), now)
    assert sealing.lag() == 7

    outcome = Outcome.DONE
    now = 130.0
    await sealing._seal_due(APP, sealing._of(APP), now)
    assert sealing.lag() == 0
