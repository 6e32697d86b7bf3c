"""Load generators: `wrk` for single requests, and clients of our own for flows of several requests."""

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
    """The result of a run. `p50` and `p99` are latencies in µs."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float


@dataclass(frozen=True)
class LoadRequest:
    """A template for requests. `{t}` in path, headers and body is replaced by a line of `pool`."""

    url: str
    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    pool: list[str] = field(default_factory=list)
    script: str = "pool.lua"


def wrk(request: LoadRequest, seconds: float, connections: int = CONNECTIONS) -> Result:
    """Runs `wrk` with a request for `seconds`. Raises RuntimeError if `wrk` is not installed or prints
    no result."""
    if shutil.which("wrk") is None:
        raise RuntimeError(
            "the load generator `wrk` is not installed (Debian: apt-get install wrk)"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".pool") as pool:
        pool.write("\n".join(request.pool))
        pool.flush()
        environment = {
            **os.environ,
            "REQUEST_PATH": request.path,
            "METHOD": request.method,
            "HEADERS": "|".join(f"{name}: {value}" for name, value in request.headers.items()),
            "BODY": request.body or "",
            "POOL": pool.name if request.pool else "",
        }
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout=5s"]
        process = subprocess.run(
            [*command, "-s", str(LUA / request.script), request.url],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    line = next((row for row in process.stdout.splitlines() if row.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {process.stdout[-300:]} {process.stderr[-300:]}")
    report = json.loads(line.removeprefix("RESULT "))
    return Result(
        report["requests"],
        report["us"] / 1e6,
        report["status_errors"] + report["socket_errors"],
        report["p50"],
        report["p99"],
    )


Flow = Callable[[int], Awaitable[None]]
"""A function that runs one whole flow as the client with this number. It raises if the flow fails."""


async def run_flows(flow: Flow, seconds: float, clients: int) -> Result:
    """Runs `clients` clients side by side for `seconds`. Each repeats the flow."""
    durations: list[float] = []
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
                durations.append((time.perf_counter() - started) * 1e6)

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    wall = time.perf_counter() - started
    if errors:
        print(f"  {len(errors)} errors, the first: {errors[0]}")
    durations.sort()
    return Result(
        len(durations), wall, len(errors), _percentile(durations, 0.5), _percentile(durations, 0.99)
    )


def _percentile(durations: list[float], share: float) -> float:
    return durations[min(len(durations) - 1, int(share * len(durations)))] if durations else 0.0
