"""Secrets stand in files, and a file that cannot be used is named, never its content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.database_url import DatabaseUrl, has_password, mistake_of, with_password
from common.secret_files import LARGEST, BadSecret, FileSecret, find_secret, read_secret

SECRET = "hunter2-hunter2"


def file(folder: Path, content: bytes) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" secret ", " secret "),
        (b"new\nold\n", "new\nold"),
        ("schlüssel".encode(), "schlüssel"),
    ],
)
def test_one_newline_at_the_end_is_not_part_of_it(
    tmp_path: Path, content: bytes, secret: str
) -> None:
    """Editors and `echo` add one. All else belongs to the secret."""
    assert read_secret("AERO2_X_FILE", file(tmp_path, content)) == secret


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \n\n", "is empty"),
        (SECRET.encode() * LARGEST, "too large"),
        (SECRET.encode() + b"\xff", "UTF-8"),
        (SECRET.encode() + b"\0", "byte 0"),
    ],
)
def test_a_bad_file_is_named_and_its_content_is_not(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = file(tmp_path, content)
    with pytest.raises(BadSecret, match=problem) as caught:
        read_secret("AERO2_X_FILE", path)

    assert str(caught.value).startswith(f"AERO2_X_FILE: {path} ")
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A folder, a missing file, and a pipe, for whose writer the start would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "unreadable").symlink_to(tmp_path / "loop")
    (tmp_path / "loop").symlink_to(tmp_path / "unreadable")
    for name, problem in (
        ("", "Is a directory"),
        ("pipe", "not a regular file"),
        ("missing", "No such file"),
        ("loop", "symbolic links"),
        ("secret\0", "no path"),
    ):
        with pytest.raises(BadSecret, match=problem):
            read_secret("AERO2_X_FILE", tmp_path / name)


def test_value_and_file_exclude_each_other(tmp_path: Path) -> None:
    """Nobody could say which of them counts. An empty variable is none: compose files have such."""
    path = str(file(tmp_path, b"in the file"))
    both = {"X": "value", "X_FILE": path}
    with pytest.raises(BadSecret, match="only one may be"):
        find_secret("X", both.get)

    for environment in ({"X": "", "X_FILE": path}, {"X_FILE": path}):
        found = find_secret("X", environment.get)
        assert found is not None
        assert found.get_secret_value() == "in the file"
    value = find_secret("X", {"X": "value", "X_FILE": ""}.get)
    assert value is not None
    assert value.get_secret_value() == "value"
    assert find_secret("X", dict[str, str]().get) is None


def test_a_file_is_read_again(tmp_path: Path) -> None:
    """A replaced file counts at once. While it cannot be read, the last content does."""
    path = file(tmp_path, b"first")
    secret = FileSecret("X_FILE", path)
    path.write_bytes(b"second\n")
    assert secret.read() == "second"
    path.unlink()
    assert secret.read() == "second"
    path.write_bytes(b"third")
    assert secret.read() == "third"
    assert "third" not in repr(secret) + str(secret)


def test_a_database_has_a_login_for_each_line(tmp_path: Path) -> None:
    """The newest password is first. One that needs quoting is quoted."""
    path = file(tmp_path, b"n/e:w@#\nold\n")
    url = DatabaseUrl("postgresql://aero2_oidc@db/aero2", FileSecret("X_FILE", path))

    assert url.logins() == [
        "postgresql://aero2_oidc:n%2Fe%3Aw%40%23@db/aero2",
        "postgresql://aero2_oidc:old@db/aero2",
    ]
    assert DatabaseUrl("postgresql://a:b@c/d").logins() == ["postgresql://a:b@c/d"]
    assert DatabaseUrl(SecretStr("postgresql://a:1@c/d\npostgresql://a:2@c/d\n")).logins() == [
        "postgresql://a:1@c/d",
        "postgresql://a:2@c/d",
    ]


def test_a_password_is_put_into_any_dsn() -> None:
    """Several hosts, an IPv6 address, and a socket."""
    for without, expected in (
        ("postgresql://u@a:1,b:2/d", "postgresql://u:p@a:1,b:2/d"),
        ("postgresql://u@[::1]:5/d", "postgresql://u:p@[::1]:5/d"),
        ("postgresql://u@/d?host=/run&port=5", "postgresql://u:p@/d?host=/run&port=5"),
    ):
        assert with_password(without, "p") == expected
        assert not has_password(without)
        assert has_password(expected)


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("postgresql://u:hun/ter2@db:5432/aero2", "is not a DSN: quote special"),
        ("mysql://u:hunter2@db/aero2", "is not a DSN like"),
        ("hunter2", "is not a DSN like"),
        ("postgresql://u:hunter2@db:x/aero2", "is not a DSN: quote"),
        ("postgresql://u:hunter2@db:5432", "names no database"),
        ("postgresql://u:hunter2@db,e:7/aero2?target_session_attrs=any", None),
        ("postgresql://u:hunter2@/aero2?host=/run/postgresql", None),
    ],
)
def test_a_wrong_dsn_is_described_without_its_parts(url: str, mistake: str | None) -> None:
    found = mistake_of(url)

    assert (found or "").startswith(mistake or "")
    assert (found is None) == (mistake is None)
    assert "hun" not in (found or "")
    assert "ter2" not in (found or "")
