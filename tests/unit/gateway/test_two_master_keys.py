"""Replicas get a new master key one after another: what one has made, another accepts, whichever key is its first."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from aero2.embedded.secrets import master_key
from common.contracts.sessions import Session
from common.crypto import Keys
from common.cursors import BadCursor, Cursors
from common.problems import BadRequest
from gateway.audit_followers import Place
from gateway.audit_tail import Places
from gateway.dashboard import undo
from gateway.http import csrf

APP = "01900000-0000-7000-8000-00000000000a"
OLD, NEW = master_key(), master_key()
ONE, OTHER = Keys.parse(f"{OLD},{NEW}"), Keys.parse(f"{NEW},{OLD}")
STRANGER = Keys.parse(master_key())
PLACE = Place(7, 42, 3)
SESSION: Any = SimpleNamespace(
    id="s", user_id="u", auth_time=datetime(2026, 1, 1, tzinfo=UTC), acr="1", active_org_id=None
)


def settings(keys: Keys) -> Any:
    return SimpleNamespace(keys=keys, browser_cookie="browser")


@pytest.fixture
def request_() -> Any:
    return SimpleNamespace(
        app=SimpleNamespace(app_id=APP),
        cookie=lambda _: "b" * 32,
        headers={},
        header=lambda _: None,
    )


@pytest.mark.parametrize(("writer", "reader"), [(ONE, OTHER), (OTHER, ONE)])
def test_what_another_replica_made_is_accepted(
    writer: Keys, reader: Keys, request_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forms, cursors, places in the log and what undoes a step. Nothing is accepted under an unknown key."""
    monkeypatch.setattr(csrf, "_check_source", lambda *_, **__: None)
    session: Session = SESSION
    form = csrf.form_token(settings(writer), request_, session)
    csrf.check_form(settings(reader), request_, form)
    assert csrf.is_form_of_session(settings(reader), form, session)
    assert not csrf.is_form_of_session(settings(reader), form, None)
    with pytest.raises(csrf.CrossSite):
        csrf.check_form(settings(STRANGER), request_, form)

    cursor = Cursors(writer).make(APP, "users", "a")
    assert Cursors(reader).read(APP, "users", cursor, 1) == ("a",)
    with pytest.raises(BadCursor):
        Cursors(STRANGER).read(APP, "users", cursor, 1)

    place = Places(writer).show(APP, PLACE)
    assert Places(reader).read(APP, place) == PLACE
    with pytest.raises(BadRequest):
        Places(STRANGER).read(APP, place)


@pytest.mark.parametrize(("writer", "reader"), [(ONE, OTHER), (OTHER, ONE)])
def test_a_step_of_another_replica_is_undone(writer: Keys, reader: Keys) -> None:
    def visit(keys: Keys, text: str = "") -> Any:
        return SimpleNamespace(
            gateway=SimpleNamespace(settings=settings(keys)),
            user=SimpleNamespace(session=SESSION),
            home="/home",
            parameters={},
            fields=SimpleNamespace(text=lambda _: text),
        )

    text = undo.undo_text(visit(writer), name="before")
    assert undo.undo_values(visit(reader, text)) == {"name": "before"}
    assert undo.undo_values(visit(STRANGER, text)) is None
