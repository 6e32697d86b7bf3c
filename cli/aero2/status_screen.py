"""`aero2 status` as text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aero2.cluster_report import ClusterStatus, Standby
from aero2.figures import count, duration, milliseconds, printable, size
from aero2.status import ProcessStatus, Status


def show(status: Status, console: Console) -> None:
    """Prints a status."""
    mark = Text("healthy", style="bold green") if status.healthy else _unhealthy(status)
    console.print(Text(f"{printable(status.url)}  ") + mark, soft_wrap=True)
    console.print(_processes(status.processes))
    lines = [
        ("queues", _queues(status.queues)),
        ("stream", _stream(status.stream)),
        ("database", _database(status.database)),
        *(("cluster", _cluster(each)) for each in status.clusters),
        ("ports", ", ".join(f"{name} {port}" for name, port in status.ports.items())),
    ]
    for name, text in lines:
        if text:
            console.print(Text(f"{name:10}", style="dim") + Text(text), soft_wrap=True)
    for warning in status.warnings:
        line = Text("warning   ", style="yellow") + Text(printable(warning))
        console.print(line, soft_wrap=True)


def _unhealthy(status: Status) -> Text:
    return Text(f"NOT HEALTHY: {printable(status.reason)}", style="bold red")


def _processes(rows: list[ProcessStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("process", "state", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("up", "pid", "memory", "requests", "faults", "mean"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(printable(row.name)),
            Text(row.state, style="red" if row.state == "silent" else ""),
            Text(printable(row.version or "")),
            duration(row.uptime),
            "" if row.pid is None else str(row.pid),
            size(row.memory_bytes),
            count(row.requests),
            count(row.errors),
            milliseconds(row.mean_ms),
        )
    return table


def _queues(queues: dict[str, dict[str, Any]]) -> str:
    if not queues:
        return "unknown"
    waiting = [
        f"{count(queue.get('waiting'))} {name}, the oldest for {duration(queue.get('age'))}"
        for name, queue in queues.items()
        if queue.get("waiting")
    ]
    return printable("; ".join(waiting) or "empty")


def _stream(stream: dict[str, Any] | None) -> str:
    if stream is None:
        return "unknown"
    newest = printable(stream.get("last_at") or "")
    text = f"{count(stream.get('messages'))} messages, {size(stream.get('size_bytes'))}"
    return f"{text}, the newest at {newest[:19]}" if newest else text


def _database(database: dict[str, Any] | None) -> str:
    if database is None:
        return "unknown"
    used, most = count(database.get("connections")), count(database.get("max_connections"))
    version = printable(database.get("version") or "")
    return f"PostgreSQL {version}, {size(database.get('size_bytes'))}, {used} of {most} connections"


def _cluster(cluster: ClusterStatus) -> str:
    if cluster.problem:
        return f"{cluster.name}: {printable(cluster.problem)}"
    schema = f"lacks {len(cluster.missing)} migrations" if cluster.missing else "schema up to date"
    standbys = [
        f"{printable(each.name)} {printable(each.state)} ({printable(each.sync)}){_lag(each)}"
        for each in cluster.standbys
    ]
    following = f"standbys: {', '.join(standbys)}" if standbys else "no standby"
    return f"{cluster.name}: PostgreSQL {printable(cluster.version)}, {schema}, {following}"


def _lag(standby: Standby) -> str:
    if standby.lag_bytes is None:
        return ""
    behind = f", {size(standby.lag_bytes)} behind"
    return f"{behind} for {duration(standby.lag_seconds)}" if standby.lag_seconds else behind
