"""A worker for each cluster, and all of them reachable from each."""

from __future__ import annotations

from common.homes import MAIN
from common.worker import WakeableWorker


def test_a_cluster_has_one_worker() -> None:
    """A job that works in one cluster wakes the worker there, as a request does, and no other."""
    main = WakeableWorker(idle=3.0)
    west = main.at("west")
    for asked in (main, west, main.at("east")):
        assert asked.at(MAIN) is main
        assert asked.at("west") is west
    west.at("west").wake()

    assert west._woken.is_set()
    assert not main._woken.is_set()
    assert not main.at("east")._woken.is_set()
    assert west.idle == main.idle
