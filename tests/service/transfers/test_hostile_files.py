"""A file that opens, and whose author means harm, writes nothing: not for another application, nor for this
one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.service.transfers.conftest import SLUG, Deployment

from aero2.failures import CommandError
from aero2.transfers.contents import Digest
from aero2.transfers.sealed_file import SealedReader, SealedWriter
from aero2.transfers.transfer_key import TransferKey
from common.ids import DASHBOARD, new_id

pytestmark = pytest.mark.timeout(300)
Parts = list[dict[str, Any]]
Forgery = Callable[[Parts], None]


def opened(file: Path, deployment: Deployment) -> Parts:
    """Returns the content of a file, as its author has it."""
    with file.open("rb") as content:
        reader = SealedReader(content, deployment.configured)
        return [orjson.loads(chunk.plain) for chunk in reader.chunks()]


def forge(parts: Parts, file: Path, deployment: Deployment) -> None:
    """Writes parts with an end that fits them: everybody who has the public key can do that."""
    digest = Digest()
    with file.open("wb") as content:
        writer = SealedWriter(content, TransferKey.of(deployment.configured))
        for part in parts[:-1]:
            plain = orjson.dumps(part)
            rows = part.get("rows")
            digest.add(plain, len(rows) if isinstance(rows, list) else 0)
            writer.write(plain)
        kept = parts[-1].pop("keep", False)
        end = parts[-1] if kept else digest.end().model_dump()
        writer.write(orjson.dumps(end), last=True)


def head(parts: Parts, table: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in parts[0]["tables"] if each["name"] == table)
    return found


def rows(parts: Parts, table: str) -> list[list[str | None]]:
    found: list[list[str | None]] = next(
        each["rows"] for each in parts if each["kind"] == "rows" and each["table"] == table
    )
    return found


def value(parts: Parts, table: str, column: str, text: str | None) -> None:
    """Sets a column in all rows of a table."""
    place = head(parts, table)["columns"].index(column)
    for row in rows(parts, table):
        row[place] = text


def drop(parts: Parts, table: str) -> None:
    parts[:] = [each for each in parts if each.get("table") != table]


OTHER = new_id()


def _other_application(parts: Parts) -> None:
    value(parts, "user_roles", "app_id", OTHER)


def _dashboard(parts: Parts) -> None:
    value(parts, "user_roles", "app_id", DASHBOARD)


def _everything_of_the_dashboard(parts: Parts) -> None:
    text = orjson.dumps(parts).decode().replace(parts[0]["app_id"], DASHBOARD)
    parts[:] = orjson.loads(text)


def _unknown_table(parts: Parts) -> None:
    parts[0]["tables"].append({"name": "master_keys", "columns": ["app_id"], "rows": 0})


def _left_table(parts: Parts) -> None:
    parts[0]["tables"].append({"name": "mail_outbox", "columns": ["app_id"], "rows": 0})


def _keys_by_rows(parts: Parts) -> None:
    parts[0]["tables"].append({"name": "imported_keys", "columns": ["app_id"], "rows": 0})


def _unannounced_table(parts: Parts) -> None:
    parts.insert(1, {"kind": "rows", "table": "mail_outbox", "rows": [[parts[0]["app_id"]]]})


def _unknown_column(parts: Parts) -> None:
    head(parts, "users")["columns"][1] = "id) SELECT 1; DROP TABLE users; --"


def _left_column(parts: Parts) -> None:
    head(parts, "user_sessions")["columns"].append("actor_id")
    for row in rows(parts, "user_sessions"):
        row.append(OTHER)


def _repeated_column(parts: Parts) -> None:
    columns = head(parts, "users")["columns"]
    columns[columns.index("name")] = "app_id"


def _unnamed_application(parts: Parts) -> None:
    columns = head(parts, "users")["columns"]
    place = columns.index("app_id")
    del columns[place]
    for row in rows(parts, "users"):
        del row[place]


def _owner(parts: Parts) -> None:
    parts[0]["application"]["owner_org_id"] = OTHER


def _is_dashboard(parts: Parts) -> None:
    parts[0]["application"]["is_dashboard"] = "true"


def _settings(parts: Parts) -> None:
    parts[0]["application"]["settings"] = '{"mfa_policy": "no such policy"}'


def _newer(parts: Parts) -> None:
    parts[0]["migrations"].append("9999_of_the_future.sql")


def _newer_format(parts: Parts) -> None:
    parts[0]["format"] = 2


def _purpose(parts: Parts) -> None:
    parts[0]["keys"][0]["purposes"]["refresh-child"] = "A" * 43


def _short_key(parts: Parts) -> None:
    parts[0]["keys"][0]["purposes"]["session"] = "QUFB"


def _key_of_the_target(parts: Parts) -> None:
    parts[0]["keys"][0]["id"] = "ktarget"


def _too_few_values(parts: Parts) -> None:
    rows(parts, "roles")[0].pop()


def _another_type(parts: Parts) -> None:
    value(parts, "users", "created_at", "'); DROP TABLE users; --")


def _no_text(parts: Parts) -> None:
    rows(parts, "users")[0][3] = 7  # type: ignore[call-overload]


def _more_rows(parts: Parts) -> None:
    rows(parts, "roles").append(rows(parts, "roles")[0])


def _fewer_rows(parts: Parts) -> None:
    drop(parts, "passwords")


def _order(parts: Parts) -> None:
    parts[1:-1] = reversed(parts[1:-1])


def _twice(parts: Parts) -> None:
    head(parts, "roles")["rows"] = 2
    rows(parts, "roles").append(rows(parts, "roles")[0])


def _owner_link(parts: Parts) -> None:
    value(parts, "email_verification_codes", "type", "owner_link")


def _domain(parts: Parts) -> None:
    parts[0]["application"]["custom_domain"] = "login.example.com"
    parts[0]["application"]["custom_domain_verified"] = "true"


def _no_user(parts: Parts) -> None:
    drop(parts, "users")
    head(parts, "users")["rows"] = 0


def _wrong_end(parts: Parts) -> None:
    parts[-1] = {"kind": "end", "keep": True, "rows": 1, "sha256": "0" * 64}


def _no_end(parts: Parts) -> None:
    parts[-1] = {"kind": "rows", "keep": True, "table": "users", "rows": []}


def _no_manifest(parts: Parts) -> None:
    del parts[0]


def _bad_slug(parts: Parts) -> None:
    parts[0]["slug"] = "dashboard"


FORGERIES: list[tuple[Forgery, str]] = [
    (_other_application, "names another application"),
    (_dashboard, "names another application"),
    (_everything_of_the_dashboard, "Dashboard"),
    (_unknown_table, "tables that are not imported: master_keys"),
    (_left_table, "tables that are not imported: mail_outbox"),
    (_keys_by_rows, "tables that are not imported: imported_keys"),
    (_unannounced_table, "rows instead of|do not belong here"),
    (_unknown_column, "columns of users that are not imported"),
    (_left_column, "columns of user_sessions that are not imported: actor_id"),
    (_repeated_column, "columns of users are not as"),
    (_unnamed_application, "columns of users are not as"),
    (_owner, "columns that are not imported: owner_org_id"),
    (_is_dashboard, "columns that are not imported: is_dashboard"),
    (_settings, "settings of the application"),
    (_newer, "9999_of_the_future.sql"),
    (_newer_format, "Update this deployment"),
    (_purpose, "refresh-child, which never go along"),
    (_short_key, "another length"),
    (_key_of_the_target, "not the same key"),
    (_too_few_values, "a row of roles has"),
    (_another_type, "another type"),
    (_no_text, "part `rows`"),
    (_more_rows, "more rows than it says"),
    (_fewer_rows, "passwords has 0 rows"),
    (_order, "rows instead of|do not belong here"),
    (_twice, "there twice"),
    (_owner_link, "never exported"),
    (_domain, "not among its verified domains"),
    (_no_user, "do not fit together"),
    (_wrong_end, "its end does not fit"),
    (_no_end, "part `end`"),
    (_no_manifest, "part `manifest`"),
    (_bad_slug, "cannot be a slug"),
]


async def test_every_forgery_is_refused(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Each ends with a sentence, and leaves every table of the target as it was. The honest file, after all
    of them, is imported."""
    await source.filled_application()
    await target.owner.execute(
        "INSERT INTO applications (id, slug, name, state) VALUES ($1, 'other', 'Other', 'active')",
        OTHER,
    )
    await source.export(tmp_path / "shop", target)
    honest = opened(tmp_path / "shop", target)
    before = await target.everything()

    for number, (change, sentence) in enumerate(FORGERIES):
        parts = orjson.loads(orjson.dumps(honest))
        change(parts)
        file = tmp_path / f"forged-{number}"
        forge(parts, file, target)
        with pytest.raises(CommandError, match=sentence):
            await target.take_in(file)
        assert await target.everything() == before, change.__name__

    forge(honest, tmp_path / "again", target)
    assert (await target.take_in(tmp_path / "again")).slug == SLUG


async def test_a_row_past_our_checks_meets_row_level_security(
    source: Deployment, target: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the comparison in our code were missing, the database refuses a row of another application."""
    from aero2.transfers.row_insertion import RowInsertion

    await source.filled_application()
    await target.owner.execute(
        "INSERT INTO applications (id, slug, name, state) VALUES ($1, 'other', 'Other', 'active')",
        OTHER,
    )
    await source.export(tmp_path / "shop", target)
    parts = opened(tmp_path / "shop", target)
    value(parts, "roles", "app_id", OTHER)
    forge(parts, tmp_path / "forged", target)

    def count_only(self: RowInsertion, head: Any, _: str, rows: list[Any]) -> None:
        self._rows += len(rows)

    monkeypatch.setattr(RowInsertion, "_check_rows", count_only)
    with pytest.raises(CommandError, match="row-level security policy"):
        await target.take_in(tmp_path / "forged")


async def test_what_the_target_decides(
    source: Deployment, target: Deployment, tmp_path: Path
) -> None:
    """Domains are taken for proven only if the operator says so; a slug, a domain or a key that is in use is
    refused; so is a log that is not intact."""
    app_id = await source.filled_application()
    await source.owner.execute("UPDATE custom_domains SET domain = 'login.example.com'")
    await source.export(tmp_path / "shop", target)
    before = await target.everything()

    with pytest.raises(CommandError, match=r"login\.example\.com.*--accept-domains"):
        await target.take_in(tmp_path / "shop", accept_domains=False)
    with pytest.raises(CommandError, match="--accept-audit-faults"):
        await target.take_in(tmp_path / "shop", accept_audit_faults=False)
    with pytest.raises(CommandError, match="no team none"):
        await target.take_in(tmp_path / "shop", team="none")
    assert await target.everything() == before

    await target.owner.execute(
        "INSERT INTO applications (id, slug, name, state) VALUES ($1, $2, 'Other', 'active')",
        *(OTHER, SLUG),
    )
    with pytest.raises(CommandError, match="has the slug shop here"):
        await target.take_in(tmp_path / "shop")
    await target.owner.execute("INSERT INTO deleted_slugs (slug) VALUES ('store')")
    with pytest.raises(CommandError, match="used here lately"):
        await target.take_in(tmp_path / "shop", slug="store")
    await target.owner.execute(
        "INSERT INTO custom_domains (id, app_id, domain, verification_token, verified_at)"
        " VALUES ($1, $1, 'login.example.com', 'x', now())",
        OTHER,
    )
    with pytest.raises(CommandError, match="Another application here has proven"):
        await target.take_in(tmp_path / "shop", slug="renamed")
    await target.owner.execute("DELETE FROM custom_domains")
    done = await target.take_in(tmp_path / "shop", slug="renamed")
    assert (done.app_id, done.slug, done.domains) == (app_id, "renamed", ["login.example.com"])
