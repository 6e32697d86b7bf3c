"""The audit log over HTTP on the running product: read, export, verify, follow."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from tests.kit.deployments import Ability
from tests.kit.system import PASSWORD, System, fresh_email


async def signed_up(system: System) -> tuple[str, str]:
    """Signs a new user up at the demo and returns their id and address."""
    email = fresh_email()
    async with system.browser() as ada:
        await ada.sign_up(email, PASSWORD)
        me = await ada.http.get("/api/auth/session")
    user_id: str = me.json()["user_id"]
    return user_id, email


async def test_what_a_user_did_can_be_read(system: System) -> None:
    """The events of a user can be listed by user and by type, counted and read one by one, with the
    network address."""
    user_id, email = await signed_up(system)
    async with system.backend() as api:
        page = (await api.get("/api/audit", params={"user_id": user_id})).json()
        types = {row["event_type"] for row in page["audit_logs"]}
        assert {"user_created", "login"} <= types
        login = next(row for row in page["audit_logs"] if row["event_type"] == "login")
        assert login["user_email"] == email
        if Ability.CALLER_ADDRESS not in system.deployment.lacks:
            assert login["ip_address"] == "127.0.0.1"
        assert (await api.get(f"/api/audit/{login['id']}")).json() == login
        assert (await api.get(f"/api/users/{user_id}/audit")).json() == page
        counts = (await api.get("/api/audit/events")).json()["event_types"]
        assert next(c["count"] for c in counts if c["event_type"] == "login") >= 1
        one = (await api.get("/api/audit", params={"event_type": "login", "limit": 1})).json()
        assert len(one["audit_logs"]) == 1


async def test_nobody_else_reads_it(system: System) -> None:
    """The log is refused without credentials, to a publishable key, to a user without the right,
    and on the Dashboard's host."""
    async with system.browser() as ada:
        await ada.sign_up(fresh_email(), PASSWORD)
        for path in ("/api/audit", "/api/audit/export", "/api/audit/stream", "/api/audit/events"):
            assert (await ada.http.get(path)).status_code == 403, path
    async with system.http() as nobody:
        assert (await nobody.get("/api/audit")).status_code == 401
        key = {"authorization": f"Bearer {system.demo['publishable_key']}"}
        assert (await nobody.get("/api/audit", headers=key)).status_code == 401
    secret = {"authorization": f"Bearer {system.demo['secret_key']}"}
    async with system.http("dashboard") as elsewhere:
        assert (await elsewhere.get("/api/audit", headers=secret)).status_code == 404


async def test_bad_filters_are_named(system: System) -> None:
    """A wrong filter is answered by 422 with its field, and never by a 500."""
    bad = {
        "user_id": "x",
        "limit": "0",
        "start_date": "yesterday",
        "end_date": "2026-01-01",
        "cursor": "forged",
    }
    async with system.backend() as api:
        for name, value in bad.items():
            answer = await api.get("/api/audit", params={name: value})
            assert answer.status_code in (400, 422), (name, answer.text)
            assert value not in answer.text or name == "limit"
        assert (await api.get("/api/audit/not-an-id")).status_code == 422
        assert (await api.get("/api/audit/01900000-0000-7000-8000-000000000001")).status_code == 404


async def test_an_export_verifies_without_the_platform(system: System, tmp_path: Path) -> None:
    """`aero2 audit verify` accepts the real export and refuses one that was changed."""
    await signed_up(system)
    async with system.backend() as api:
        exported = await api.get("/api/audit/export")
        heads = await api.get("/api/audit/checkpoints", params={"limit": 1000})
    export, checkpoints = tmp_path / "audit.ndjson", tmp_path / "checkpoints.json"
    export.write_bytes(exported.content)
    checkpoints.write_bytes(heads.content)
    assert exported.headers["content-type"] == "application/x-ndjson"
    assert heads.json()["checkpoints"]

    async def verify() -> tuple[int, str]:
        command = [sys.executable, "-m", "aero2", "audit", "verify", str(export)]
        command += ["--checkpoints", str(checkpoints)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, said = await verify()
    assert code == 0, said
    assert "Intact" in said
    lines = exported.text.splitlines()
    export.write_text("\n".join([*lines[:1], *lines[2:]]) + "\n")
    code, said = await verify()
    assert code == 1
    assert "events 2 to 2 are missing" in said


async def test_the_log_as_a_table(system: System) -> None:
    """The CSV is a download with a header and one row for each event."""
    async with system.backend() as api:
        answer = await api.get("/api/audit/export", params={"format": "csv", "event_type": "login"})
        page = (await api.get("/api/audit", params={"event_type": "login", "limit": 100})).json()
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert {row["id"] for row in page["audit_logs"]} <= {row["id"] for row in rows}


async def test_a_record_leads_to_its_log_lines(system: System) -> None:
    """A record, its copy on the stream and the log lines of the gateway and the service have one trace.
    The traceparent of a client is only a link: two requests with the same one have different traces."""
    system.deployment.require(Ability.DATA_FOLDER)
    theirs = "00-4ba94d6b8eaf052ccf1809c98d6b2053-00f067aa0ba902b7-01"
    sent = {"traceparent": theirs, "tracestate": "x=" + "y" * 600}
    users: list[str] = []
    async with system.backend() as api:
        for _ in range(2):
            person = {"email": fresh_email(), "password": PASSWORD}
            made = await api.post("/api/users", json=person, headers=sent)
            assert made.status_code == 201, made.text
            users.append(made.json()["id"])
        pages = [(await api.get("/api/audit", params={"user_id": id})).json() for id in users]
    first, second = (
        next(row["trace"] for row in page["audit_logs"] if row["event_type"] == "user_created")
        for page in pages
    )
    events = await system.streamed(system.demo["app_id"], until={"user_created"}, user_id=users[0])

    assert len({first[3:35], second[3:35], theirs[3:35]}) == 3
    assert first in {event.trace for event in events if event.event_type == "user_created"}
    found = await log_lines(system, first, {"gateway", "identity"})
    assert {line["trace"] for line in found} == {first[3:35]}
    assert "identity.user.create" in {line.get("contract") for line in found}
    (http,) = [line for line in found if line["event"] == "http"]
    assert (http["method"], http["status"], http["link"]) == ("POST", 201, theirs[3:35])
    linked = await log_lines(system, theirs, {"gateway", "identity"})
    assert {first[3:35], second[3:35]} <= {line["trace"] for line in linked}


async def log_lines(system: System, trace: str, services: set[str]) -> list[dict[str, Any]]:
    """Returns what `aero2 logs --trace` shows, once it has lines of these services."""
    command = [sys.executable, "-m", "aero2", "logs", "--json", "--trace", trace]
    command += ["--data-dir", str(system.deployment.folder)]
    for _ in range(50):  # lines are written in batches
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        if services <= {line["service"] for line in found}:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no lines of {services}: {done.stdout}{done.stderr}")


async def following(api: httpx.AsyncClient, until: str, **headers: str) -> list[dict[str, str]]:
    """Returns server-sent events up to the first one of a type."""
    found: list[dict[str, str]] = []
    async with api.stream("GET", "/api/audit/stream", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line == "" and "data" in event:
                found.append(event)
                if event["event"] == until:
                    return found
                event = {}
            elif name in ("id", "event", "data"):
                event[name] = value
    raise AssertionError(f"ended with {found}")


async def test_the_log_can_be_followed(system: System) -> None:
    """A follower gets an event when it happens. After a break it misses none."""
    async with system.backend() as api:
        watching = asyncio.create_task(following(api, "login"))
        await asyncio.sleep(0.5)
        user_id, _ = await signed_up(system)
        seen = await asyncio.wait_for(watching, 20)
        assert json.loads(seen[-1]["data"])["user_id"] == user_id

        other, _ = await signed_up(system)  # Meanwhile no follower is connected.
        again = await following(api, "login", **{"last-event-id": seen[-1]["id"]})
        assert json.loads(again[-1]["data"])["user_id"] == other
        assert seen[-1]["id"] not in [event["id"] for event in again]

        forged = await api.get("/api/audit/stream", headers={"last-event-id": "12"})
        assert forged.status_code == 400
