"""`aero2 audit verify` on files: what it finds, what it says, how it exits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.event_catalogue import catalogue
from common.audit_chain import START, Checkpoint, link, public_keys, sign
from common.crypto import Keys, b64url
from common.events.base import EVENTS

APP = "01900000-0000-7000-8000-00000000000a"
KEYS = Keys.parse("k1:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")
DOCS = Path(__file__).parents[3] / "docs" / "events.md"


def log(count: int = 5) -> tuple[list[dict[str, Any]], Checkpoint]:
    previous, events = START, []
    for seq in range(1, count + 1):
        event: dict[str, Any] = {
            "app_id": APP,
            "id": f"01900000-0000-7000-8000-{seq:012}",
            "event_type": "login",
            "event_data": {"n": seq},
            "version": 1,
            "created_at": f"2026-01-01T00:00:{seq:02}Z",
        }
        made = link(APP, seq, previous, event)
        place = {"seq": seq, "previous_hash": b64url(previous), "hash": b64url(made)}
        events.append(event | {"chain": place})
        previous = made
    return events, sign(KEYS, APP, count, previous, at=datetime(2026, 1, 1, 1, tzinfo=UTC))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    events, head = log()
    export, heads = tmp_path / "audit.ndjson", tmp_path / "checkpoints.json"
    export.write_text("".join(json.dumps(event) + "\n" for event in events))
    page = {
        "keys": public_keys(KEYS),
        "checkpoints": [vars(head) | {"created_at": "2026-01-01T01:00:00Z"}],
    }
    heads.write_text(json.dumps(page) + "\n" + json.dumps(page | {"checkpoints": []}))
    return export, heads


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["audit", "verify", *map(str, arguments)])
    return done.exit_code, done.output


def test_an_intact_log(files: tuple[Path, Path]) -> None:
    """The command exits with 0, and says how far the signature goes and whose key it was."""
    export, heads = files
    code, said = run(export, "--checkpoints", heads)

    assert code == 0
    assert "Intact: 5 events, 1 to 5." in said
    assert "Signed up to event 5." in said
    assert "came with the checkpoints" in said
    code, said = run(export, "--checkpoints", heads, "--key", f"k1:{public_keys(KEYS)['k1']}")
    assert code == 0
    assert "came with" not in said


def test_a_changed_line(files: tuple[Path, Path]) -> None:
    """The command exits with 1 and the event's number."""
    export, heads = files
    export.write_text(export.read_text().replace('"n": 3', '"n": 4'))
    code, said = run(export, "--checkpoints", heads)

    assert code == 1
    assert "event 3: changed" in said


def test_a_cut_off_end(files: tuple[Path, Path]) -> None:
    """A missing end is found with a checkpoint only."""
    export, heads = files
    export.write_text("".join(export.read_text().splitlines(keepends=True)[:3]))
    code, said = run(export, "--checkpoints", heads)

    assert code == 1
    assert "events 4 to 5 are missing" in said
    assert run(export)[0] == 0


def test_another_key(files: tuple[Path, Path]) -> None:
    """A checkpoint that the trusted key did not sign proves nothing."""
    export, heads = files
    other = Keys.parse("k1:" + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    code, said = run(export, "--checkpoints", heads, "--key", f"k1:{public_keys(other)['k1']}")

    assert code == 1
    assert "not ours" in said


def test_what_is_no_log(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """The command exits with 1 and a sentence, never a traceback."""
    export, _ = files
    nothing = tmp_path / "nothing"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for arguments in (
        (nothing,),
        (binary,),
        (tmp_path,),
        (export, "--checkpoints", export),
        (export, "--checkpoints", nothing),
        (export, "--key", "k1"),
    ):
        done = CliRunner().invoke(app, ["audit", "verify", *map(str, arguments)])
        assert done.exit_code == 1, arguments
        assert isinstance(done.exception, SystemExit), arguments


def test_the_catalogue_is_current() -> None:
    """docs/events.md is what `make events` writes."""
    assert DOCS.read_text() == catalogue(), "run `make events`"


def test_every_event_says_what_it_is() -> None:
    """A sentence each, and a heading above it."""
    ours = [event for event in EVENTS.values() if event.__module__.startswith("common.events.")]
    text = catalogue()

    assert len(ours) > 20
    for event in ours:
        assert event.__doc__, event.type
        assert f"### `{event.type}`" in text
