"""How a migration is read: phase, transaction and steps."""

from __future__ import annotations

import pytest

from aero2.migration_files import BadMigrationError, Script, Step


def script(*lines: str) -> Script:
    return Script("0007_test.sql", "\n".join(lines) + "\n")


def test_a_file_without_headers_is_one_step_of_the_expanding_phase() -> None:
    """Nothing has to be said for the usual case."""
    plain = script("CREATE TABLE a (b int);", "CREATE TABLE c (d int);")

    assert plain.in_one_transaction
    assert not plain.contracts
    assert plain.steps == (Step(plain.sql),)


def test_steps_in_order() -> None:
    """A step for each partition becomes sixteen."""
    steps = script(
        "-- phase: expand",
        "-- transaction: no",
        "-- Why there is an index.",
        "-- step",
        "CREATE INDEX users_x ON ONLY users (x);",
        "-- step: each partition",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_x_pNN ON users_pNN (x);",
        "-- step: backfill users",
        "UPDATE users SET x = 1 WHERE x IS NULL AND ctid >= $1 AND ctid < $2;",
    ).steps

    assert len(steps) == 18
    assert steps[0] == Step("CREATE INDEX users_x ON ONLY users (x);")
    assert steps[1].new_index == "users_x_p00"
    assert steps[16].sql == "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_x_p15 ON users_p15 (x);"
    assert [each.concurrent for each in steps] == [False, *[True] * 16, False]
    assert steps[17].backfill == "users"


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ("no line `-- step`", ["-- Nothing."]),
        ("SQL above its first", ["SELECT 1;", "-- step", "SELECT 2;"]),
        ("a step without SQL", ["-- step", "-- step", "SELECT 2;"]),
        ("does not say pNN", ["-- step: each partition", "SELECT 1;"]),
        ("a backfill that is no UPDATE", ["-- step: backfill users", "DELETE FROM users;"]),
        ("a backfill without `ctid", ["-- step: backfill users", "UPDATE users SET x = 1;"]),
        ("not one statement", ["-- step", "REINDEX INDEX CONCURRENTLY a; SELECT 1;"]),
        ("without IF NOT EXISTS", ["-- step", "CREATE INDEX CONCURRENTLY a ON b (c);"]),
    ],
)
def test_what_could_not_be_repeated_is_refused(fault: str, lines: list[str]) -> None:
    """The message names the file."""
    with pytest.raises(BadMigrationError, match=rf"^0007_test\.sql has .*{fault}"):
        _ = script("-- transaction: no", *lines).steps


def test_the_checksum_ignores_comments_but_not_directives() -> None:
    """A comment may be corrected later. Another order of steps is another migration."""
    lines = ["-- transaction: no", "-- step", "SELECT 1;", "-- step", "SELECT 2;"]
    first = script(*lines)

    assert script(lines[0], "-- Why.", *lines[1:]).checksum == first.checksum
    assert script(*lines[:3], *lines[4:]).checksum != first.checksum
    assert script(*lines[1:]).checksum != first.checksum
