"""Whether the rows of a table go along with their application: nobody can forget to decide it."""

from __future__ import annotations

import re

import pytest

from aero2.app_tables import OF_THE_DEPLOYMENT, TABLES, AppTable, in_foreign_key_order
from aero2.migrate import folder

TABLE = re.compile(r"^CREATE TABLE (\w+) \(", re.MULTILINE)


def unclassified(names: set[str]) -> set[str]:
    """Returns the tables that are neither of an application nor of the deployment."""
    return names - TABLES.keys() - OF_THE_DEPLOYMENT


def test_every_table_is_classified() -> None:
    """A new table in db/schema.sql needs an entry in cli/aero2/app_tables.py, and a dropped one has none."""
    names = set(TABLE.findall((folder() / "schema.sql").read_text()))
    assert unclassified(names) == set(), "say in cli/aero2/app_tables.py whether its rows go along"
    assert (TABLES.keys() | OF_THE_DEPLOYMENT) - names == set()
    assert TABLES.keys() & OF_THE_DEPLOYMENT == set()


def test_what_stays_behind_has_a_reason() -> None:
    """And what goes along needs none."""
    for name, carriage in TABLES.items():
        assert bool(carriage.why_not) == (not (carriage.moved and carriage.exported)), name


def test_the_rule_sees_a_new_table() -> None:
    """A table that nobody has classified is found."""
    assert unclassified({"device_grants", "users"}) == {"device_grants"}


def test_a_circle_of_tables_is_refused() -> None:
    """Two tables that refer to each other have no order, except through the owner of an application."""

    def table(name: str, *others: str) -> AppTable:
        return AppTable(name, "app_id", (), (), ("app_id",), True, frozenset(others))

    ordered = in_foreign_key_order(
        [table("b", "a"), table("a", "applications"), table("applications", "b")]
    )
    assert [each.name for each in ordered] == ["applications", "a", "b"]
    with pytest.raises(ValueError, match=r"circle: \['a', 'b'\]"):
        in_foreign_key_order([table("a", "b"), table("b", "a")])
