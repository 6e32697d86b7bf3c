"""Followers of the audit log that lost their gateway do not come back all at once."""

from __future__ import annotations

import re

import pytest

from gateway.audit_tail import JsonEvents
from gateway.event_streams import RETRY, come_back_after

FOLLOWERS = 500


def test_each_follower_has_a_time_of_its_own() -> None:
    """The times of followers fill the whole span, and no tenth of it has many more than its share."""
    found = [re.search(rb"^retry: (\d+)$", JsonEvents().begin("x"), re.M) for _ in range(FOLLOWERS)]
    times = [int(each[1]) for each in found if each is not None]
    tenths = [int((time - RETRY * 0.5) / RETRY * 10) for time in times if time < RETRY * 1.5]

    assert len(times) == FOLLOWERS
    assert min(times) >= RETRY * 0.5
    assert max(times) <= RETRY * 1.5
    assert set(tenths) == set(range(10))
    assert max(tenths.count(tenth) for tenth in range(10)) < FOLLOWERS / 4


@pytest.mark.parametrize("milliseconds", [1, 2000, 10_000])
def test_the_field_is_well_formed(milliseconds: int) -> None:
    """A client ignores a time with other characters than digits, and everything would come at once."""
    assert re.fullmatch(r"retry: \d+\n", come_back_after(milliseconds))
