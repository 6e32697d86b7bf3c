"""Takes a sample of a deployment: what may grow while it runs."""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import psutil

from bench.processes import label, process_tree

Sample = dict[str, float]
"""Figures by name: the group, a slash, and what it is about, such as `memory/oidc`."""

MIB: Final = 2**20

CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
SIZES = """
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
       sum(pg_table_size(c.oid)) AS rows, sum(pg_indexes_size(c.oid)) AS indexes,
       sum(coalesce(pg_stat_get_dead_tuples(c.oid), 0)) AS dead
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' GROUP BY 1
"""
AGES = """
SELECT
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM audit_outbox) AS audit,
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM mail_outbox
   WHERE failed_at IS NULL) AS mail,
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM logout_deliveries)
    AS logout
"""
FIGURES: Final = {
    "aero2_event_loop_tasks": "tasks/{service}",
    "aero2_stream_bytes": "stream/MiB",
    "aero2_stream_messages": "stream/messages",
    "aero2_cache_entries": "cache entries/{service}",
}
"""Figures that the processes export, and the name that each has here."""
METRIC: Final = re.compile(r"^(\w+)(?:\{(.*?)\})? ([\d.e+-]+)$", re.MULTILINE)


@dataclass
class Sampler:
    """Takes samples of one deployment. It keeps one connection to the database."""

    pid: int
    data: Path
    db: asyncpg.Connection
    http: httpx.AsyncClient

    @classmethod
    async def open(cls, pid: int, data: Path) -> Sampler:
        """Connects to the database of a data folder as its superuser."""
        password = json.loads((data / "secrets.json").read_text())["superuser"]
        port = json.loads((data / "ports.json").read_text())["postgres"]
        db = await asyncpg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/aero2")
        return cls(pid, data, db, httpx.AsyncClient(timeout=10))

    async def close(self) -> None:
        """Closes the connections."""
        await self.db.close()
        await self.http.aclose()

    async def take(self) -> Sample:
        """Returns the figures of this moment."""
        ports = json.loads((self.data / "ports.json").read_text())
        metrics = await self.http.get(f"http://127.0.0.1:{ports['metrics']}/metrics")
        sample = of_processes(self.pid, ports["nats"]) | of_metrics(metrics.text)
        sample["connections/postgres"] = float(await self.db.fetchval(CONNECTIONS))
        for row in await self.db.fetch(SIZES):
            sample[f"table/{row['name']}"] = float(row["rows"]) / MIB
            sample[f"indexes/{row['name']}"] = float(row["indexes"]) / MIB
            sample[f"dead rows/{row['name']}"] = float(row["dead"])
        (ages,) = await self.db.fetch(AGES)
        return sample | {f"outbox age/{name}": float(age) for name, age in ages.items()}


def of_processes(pid: int, nats_port: int) -> Sample:
    """Returns memory in MiB and open descriptors of each kind of process, and connections to NATS. The
    memory is resident; of PostgreSQL, whose processes share most of it, that which they do not share."""
    sample: defaultdict[str, float] = defaultdict(float)
    for process in process_tree(pid):
        with contextlib.suppress(psutil.Error, OSError):
            kind = label(process.name(), process.cmdline())
            if kind == "postgres":
                memory = process.memory_full_info().uss
            else:
                memory = process.memory_info().rss
                sample[f"descriptors/{kind}"] += process.num_fds()
            sample[f"memory/{kind}"] += memory / MIB
            sample["processes/all but postgres"] += kind != "postgres"
            if kind == "nats":
                links = process.net_connections("tcp")
                sample["connections/nats"] += sum(
                    link.status == psutil.CONN_ESTABLISHED and link.laddr.port == nats_port
                    for link in links
                )
    return dict(sample)


def of_metrics(text: str) -> Sample:
    """Returns the figures that the processes export."""
    sample: defaultdict[str, float] = defaultdict(float)
    for name, labels, value in METRIC.findall(text):
        if name in FIGURES:
            by_label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            figure = float(value) / (MIB if name.endswith("_bytes") else 1)
            sample[FIGURES[name].format(service=by_label.get("service", "all"))] += figure
    return dict(sample)
