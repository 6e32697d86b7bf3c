"""The load: wrk for single requests, our own clients for flows of several."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

LUA = Path(__file__).parent / "lua"
CONNECTIONS = 16


@dataclass(frozen=True)
class Result:
    """What a load tool saw. Latencies are in µs."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Shot:
    """One kind of request. `{t}` in path, headers and body stands for a line of `pool`."""

    url: str
    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    pool: list[str] = field(default_factory=list)
    script: str = "pool.lua"


def wrk(shot: Shot, seconds: float, connections: int = CONNECTIONS) -> Result:
    """Raises RuntimeError where wrk is missing or tells nothing."""
    if shutil.which("wrk") is None:
        raise RuntimeError(
            "the load generator `wrk` is not installed (Debian: apt-get install wrk)"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".pool") as pool:
        pool.write("\n".join(shot.pool))
        pool.flush()
        environment = {
            **os.environ,
            "REQUEST_PATH": shot.path,
            "METHOD": shot.method,
            "HEADERS": "|".join(f"{name}: {value}" for name, value in shot.headers.items()),
            "BODY": shot.body or "",
            "POOL": pool.name if shot.pool else "",
        }
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=5s"]
        done = subprocess.run(
            [*command, "-s", str(LUA / shot.script), shot.url],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    line = next((row for row in done.stdout.splitlines() if row.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {done.stdout[-300:]} {done.stderr[-300:]}")
    seen = json.loads(line.removeprefix("RESULT "))
    return Result(
        seen["requests"],
        seen["us"] / 1e6,
        seen["status_errors"] + seen["socket_errors"],
        seen["p50"],
        seen["p99"],
    )


Flow = Callable[[int], Awaitable[None]]
"""One whole flow by client number `n`; raises where it goes wrong."""


async def flows(flow: Flow, seconds: float, clients: int) -> Result:
    """Each client repeats the flow, one after the other, until the time is up."""
    taken: list[float] = []
    errors: list[str] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                await flow(number)
            except Exception as error:
                errors.append(repr(error)[:300])
                if len(errors) > 20:
                    return
            else:
                taken.append((time.perf_counter() - started) * 1e6)

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    wall = time.perf_counter() - started
    if errors:
        print(f"  {len(errors)} errors, the first: {errors[0]}")
    taken.sort()
    return Result(len(taken), wall, len(errors), _at(taken, 0.5), _at(taken, 0.99))


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
