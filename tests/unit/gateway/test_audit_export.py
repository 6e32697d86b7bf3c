"""The log as a CSV or NDJSON file, in which no text is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from common.context import Caller, Context
from common.contracts.audit_log import ChainPlace, ExportedRecord
from common.ids import DASHBOARD, new_id
from gateway.api import audit_export
from gateway.running_exports import ExportRunning, RunningExports


def record(**more: object) -> ExportedRecord:
    return ExportedRecord(
        app_id=DASHBOARD,
        id=new_id(),
        event_type="login",
        event_data={"a": 'quote " and, comma'},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        chain=ChainPlace(seq=1, previous_hash="", hash=""),
        **more,
    )


async def pieces(*found: ExportedRecord) -> AsyncIterator[list[ExportedRecord]]:
    for each in found:
        yield [each]


async def test_csv_reads_back() -> None:
    """The CSV has a header and one row for each event, whatever the texts contain."""
    made = record(user_agent='Mozilla "5.0"\r\nX', ip_address="192.0.2.1")
    text = b"".join([c async for c in audit_export.as_csv(pieces(made))]).decode()
    header, row = list(csv.reader(io.StringIO(text, newline="")))
    found = dict(zip(header, row, strict=True))

    assert found["id"] == made.id
    assert found["user_agent"] == 'Mozilla "5.0"\r\nX'
    assert found["event_data"] == '{"a":"quote \\" and, comma"}'
    assert found["user_id"] == ""


async def test_a_formula_is_text() -> None:
    """A user agent is written by a stranger, so a spreadsheet must not run it."""
    for begin in "=+-@\t\n＝＋－＠":
        made = record(user_agent=f'{begin}HYPERLINK("http://evil")')
        text = b"".join([c async for c in audit_export.as_csv(pieces(made))]).decode()
        row = list(csv.reader(io.StringIO(text, newline="")))[1]
        assert row[11].startswith("'")


async def test_ndjson_is_a_line_an_event() -> None:
    """Each line is a JSON object of its own with the hash chain."""
    lines = b"".join([c async for c in audit_export.ndjson(pieces(record(), record()))])

    parsed = [ExportedRecord.model_validate_json(line) for line in lines.splitlines()]
    assert [p.chain.seq for p in parsed] == [1, 1]


async def test_one_export_of_each_caller_at_a_time() -> None:
    """While an export runs, its caller gets no other one. Others do, and so do they once it ended or they
    left."""
    running = RunningExports()
    ada, bob = Caller("user", new_id()), Caller("user", new_id())
    here, elsewhere = new_id(), new_id()
    first = running.until_sent(running.begin(Context(here, ada)), pieces(record(), record()))
    await anext(first)
    with pytest.raises(ExportRunning):
        running.begin(Context(here, ada))
    running.begin(Context(here, bob))
    running.begin(Context(elsewhere, ada))
    await first.aclose()

    running.begin(Context(here, ada))
