"""Every table and every column of an application arrives, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from tests.service.transfers.conftest import SLUG, Deployment

from aero2.failures import CommandError
from common.crypto import Keys

pytestmark = pytest.mark.timeout(200)


async def test_every_row_arrives(source: Deployment, target: Deployment, tmp_path: Path) -> None:
    """Rows of all tables are the same at the target, to the byte. Sealed values open under its master key,
    and the other application there has the rows that it had."""
    app_id = await source.filled_application()
    before = await source.rows(app_id)
    assert [table for table, rows in before.items() if not rows] == []

    written = await source.export(tmp_path / "shop", target)
    done = await target.take_in(tmp_path / "shop")

    assert (done.rows, done.sha256) == (written.rows, written.sha256)
    assert done.opened
    assert await target.rows(app_id) == before
    sealed = await target.owner.fetchval("SELECT secret_sealed FROM totp_factors")
    assert await target.open(app_id, sealed) == b"seed"
    row = await target.owner.fetchrow("SELECT * FROM applications WHERE slug = $1", SLUG)
    assert row is not None
    assert (row["state"], row["home"], row["home_state"], row["closed"]) == (
        *("active", "main", "settled"),
        None,
    )
    assert row["name"] == "Shop"
    with pytest.raises(CommandError, match="here already"):
        await target.take_in(tmp_path / "shop")


async def test_hashes_are_recognized(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Services that start after the import recognize sessions and keys, and keep names that never change.
    What makes tokens, or can be guessed, did not come along."""
    app_id = await source.filled_application()
    await source.owner.execute("UPDATE oauth_clients SET subject_type = 'pairwise'")
    session = source.keys.hash("session", "cookie")
    await source.export(tmp_path / "shop", target)
    await target.take_in(tmp_path / "shop")
    keys = await target.restart()

    assert session in keys.hashes("session", "cookie")
    assert source.keys.hash("otp", "123456") not in keys.hashes("otp", "123456")
    first = keys.first_of(app_id, "pairwise")
    assert keys.digest("pairwise", b"x", first) == source.keys.digest("pairwise", b"x")
    assert keys.first_of("another", "pairwise") == keys.first == "ktarget"
    for purpose in ("refresh-child", "session-of-form", "cursor", "otp", "audit user"):
        with pytest.raises(KeyError):
            keys.purpose_key(purpose, "ksource")
    assert keys.hash("session", "new").startswith("ktarget.")


async def test_it_goes_on_to_a_third_deployment(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """And back: hashes of every deployment on the way are recognized, and names stay those of the first."""
    app_id = await source.filled_application()
    await source.export(tmp_path / "there", target, final=True)
    await target.take_in(tmp_path / "there")
    at_target = (await target.restart()).hash("session", "second")
    await target.export(tmp_path / "back", source)
    await source.owner.execute("DELETE FROM applications WHERE slug = $1", SLUG)
    await source.take_in(tmp_path / "back")
    keys: Keys = await source.restart()

    assert at_target in keys.hashes("session", "second")
    assert keys.hashes("session", "second")[0].startswith("ksource.")
    assert keys.first_of(app_id, "sid") == "ksource"


async def test_nothing_is_written_once_it_is_closed(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """A final export closes the application for every role, and for it alone, until it is opened. An export
    that fails opens it again."""
    app_id = await source.filled_application()
    db = await asyncpg.connect(source.dsns["identity"])
    await db.execute("PREPARE aero2_bind (text) AS SELECT bind_application($1)")
    assert await db.fetchval(f"EXECUTE aero2_bind ('{app_id}')") == app_id

    with pytest.raises(CommandError):
        await source.export(tmp_path / "no" / "such" / "folder", target, final=True)
    assert await db.fetchval(f"EXECUTE aero2_bind ('{app_id}')") == app_id

    await source.export(tmp_path / "shop", target, final=True)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await db.fetchval(f"EXECUTE aero2_bind ('{app_id}')")
    assert refused.value.sqlstate == "AE001"
    other = "00000000-0000-0000-0000-000000000000"
    async with db.transaction():
        assert await db.fetchval(f"EXECUTE aero2_bind ('{other}')") == other
        assert await db.fetchval("SELECT current_setting('aero2.app_id')") == other
    await db.close()
