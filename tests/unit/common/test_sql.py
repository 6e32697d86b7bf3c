"""Named parameters of SQL statements become `$n` when a module is imported."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from common.sql import numbered, qualified


class Code(NamedTuple):
    app_id: str
    code_hash: str
    lifetime: float


class Event(NamedTuple):
    event_id: str


def test_a_name_becomes_the_place_of_its_field() -> None:
    """The order of the fields counts, not the order in the text. A name may stand twice."""
    text = numbered("UPDATE t SET x = :code_hash, y = :lifetime, z = :code_hash, a = :app_id", Code)

    assert text == "UPDATE t SET x = $2, y = $3, z = $2, a = $1"


def test_a_second_class_continues_the_numbers() -> None:
    """A call passes both tuples, one after the other."""
    text = numbered("VALUES (:event_id, :app_id, :code_hash, :lifetime)", Code, Event)

    assert text == "VALUES ($4, $1, $2, $3)"


@pytest.mark.parametrize(
    "untouched",
    [
        "x::text",
        "'a :name in a string, it''s :one'",
        r"E'an escaped \' and :name'",
        '"a column named :name"',
        "-- a comment with :name and $1\n",
        "/* a comment\n with :name */",
        "$$a body with :name$$",
        "$fn$a body with :name and $$ $fn$",
        "x := 1",
    ],
)
def test_other_colons_stay(untouched: str) -> None:
    """Casts, strings, quoted names and comments are not parameters."""
    text = numbered(f"SELECT {untouched} WHERE x = :event_id::uuid", Event)

    assert text == f"SELECT {untouched} WHERE x = $1::uuid"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":app_id :code_hash :lifetime :client_id", "client_id"),
        (":app_id :code_hash", "lifetime"),
        (":app_id :code_hash :lifetime $4", r"\$4"),
        ("$$unfinished :app_id :code_hash :lifetime :name", "name"),
    ],
)
def test_a_mistake_stops_the_import(text: str, message: str) -> None:
    """A misspelt name, a forgotten field and a bare number are refused."""
    with pytest.raises(ValueError, match=message):
        numbered(text, Code)


def test_a_field_belongs_to_one_class() -> None:
    """Two classes with the same field would leave its place open."""
    with pytest.raises(ValueError, match="same name"):
        numbered(":app_id :code_hash :lifetime", Code, Code)


def test_a_column_list_gets_an_alias() -> None:
    """One list serves statements with different aliases."""
    assert qualified("c", "id, name,\n    type") == "c.id, c.name, c.type"
