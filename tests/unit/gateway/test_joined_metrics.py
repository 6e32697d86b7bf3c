"""Metrics of several processes are joined: each family once, each sample with service and replica."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.monitoring.joined_metrics import joined, siblings


def export(count: int) -> str:
    """Returns the metrics of one process, with label values that try to break the format."""
    registry = CollectorRegistry()
    Counter("plain", "Has no labels.", registry=registry).inc(count)
    Counter("named", "Has one.", ["a"], registry=registry).labels('x} y{ "#').inc(count)
    Histogram("took", "Has buckets.", registry=registry).observe(count)
    return generate_latest(registry).decode()


def test_samples_carry_service_and_replica() -> None:
    text = joined({("gateway", "0"): export(1), ("oidc", "0"): export(2), ("oidc", "1"): export(3)})

    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    plain = {
        (sample.labels["service"], sample.labels["replica"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "plain_total"
    }
    assert plain == {("gateway", "0"): 1, ("oidc", "0"): 2, ("oidc", "1"): 3}
    named = [s for family in families for s in family.samples if s.name == "named_total"]
    assert {sample.labels["a"] for sample in named} == {'x} y{ "#'}
    assert text.count("# HELP took ") == text.count("# TYPE took ") == 1


async def test_a_process_that_is_gone_hides_no_other(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nplain 1\n")
        writer.close()

    await asyncio.start_unix_server(answer, tmp_path / "rbac.0.metrics")
    (tmp_path / "oidc.0.metrics").touch()

    assert await siblings(str(tmp_path)) == {("rbac", "0"): "plain 1\n"}
