"""`python -m bench.user_import`: how many users a second `aero2 users import` creates.

Starts a deployment and imports a file of users over HTTP, with the code of the command. The file has
password hashes, so nothing is hashed. Then it imports the file a second time: all users exist.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import bcrypt

from aero2.user_import import run_import
from bench.deployment import free_port, started_deployment
from bench.processes import cpu


def write(file: Path, count: int) -> None:
    """Writes users with a profile, metadata and a bcrypt hash."""
    phc = bcrypt.hashpw(b"correct horse battery staple", bcrypt.gensalt(4)).decode()
    with file.open("w") as out:
        for number in range(count):
            user = {
                "email": f"user{number}@example.com",
                "email_verified": True,
                "name": f"User Number {number}",
                "given_name": "User",
                "locale": "de",
                "password_hash": phc,
                "public_metadata": {"plan": "pro", "seats": number % 7},
                "created_at": "2024-01-02T03:04:05Z",
            }
            out.write(json.dumps(user) + "\n")


def main() -> None:
    """Imports the file twice and prints the rate of each time."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=20_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, started_deployment(free_port()) as deployment:
        file = Path(folder) / "users.ndjson"
        write(file, rows)
        for outcome in ("created", "existing"):
            before, started = cpu(deployment.pid), time.perf_counter()
            tally = run_import(file, deployment.url, deployment.secret_key, quiet=True)
            took = time.perf_counter() - started
            used = cpu(deployment.pid) - before
            each = used.total / rows * 1e6
            print(
                f"{outcome}: {rows / took:,.0f} rows/s, {each:,.0f} µs of CPU a row ({tally.sentence})"
            )


if __name__ == "__main__":
    main()
