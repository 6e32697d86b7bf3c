"""A client that lost its server tries the others in turn, at times of its own."""

from __future__ import annotations

from urllib.parse import urlparse

from nats.aio.client import Server

from common.nats_reconnect import FIRST_WAIT, LONGEST_WAIT, ReconnectPlan


def servers(*ports: int) -> list[Server]:
    return [Server(uri=urlparse(f"nats://h:{port}"), reconnects=0) for port in ports]


def ports(plan: ReconnectPlan, known: list[Server], count: int) -> list[int]:
    return [plan.next(known, {})[0].uri.port or 0 for _ in range(count)]


def test_the_lost_server_is_tried_last() -> None:
    """Each round tries every server once, and the one that was lost after the others."""
    for _ in range(20):
        plan = ReconnectPlan()
        plan.begin("h:2")
        tried = ports(plan, servers(1, 2, 3), 9)

        assert tried[2] == 2
        assert sorted(tried[:3]) == [1, 2, 3]
        assert tried[:3] == tried[3:6] == tried[6:]


def test_clients_come_at_different_times() -> None:
    """The first attempts of a thousand clients are spread over the whole time and over the servers. Later ones
    wait longer, and never long."""
    firsts, chosen, later = [], set(), []
    for _ in range(1000):
        plan = ReconnectPlan()
        plan.begin("h:1")
        server, wait = plan.next(servers(1, 2, 3), {})
        firsts.append(wait)
        chosen.add(server.uri.port)
        later += [plan.next(servers(1, 2, 3), {})[1] for _ in range(20)][2:]

    assert chosen == {2, 3}
    tenths = {int(wait / FIRST_WAIT * 10) for wait in firsts}
    assert tenths == set(range(10))
    assert min(later) >= 0.1
    assert max(later) <= LONGEST_WAIT * 1.5


def test_a_list_that_changes_is_followed() -> None:
    """A server that is new in the list gets its turn, and one that left it is not returned."""
    plan = ReconnectPlan()
    plan.begin(None)
    ports(plan, servers(1, 2), 5)

    assert plan.next(servers(1, 2, 3), {})[0].uri.port == 3
    assert set(ports(plan, servers(2), 3)) == {2}
