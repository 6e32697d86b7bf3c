"""The text by which an operator configures a provider of the Dashboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.configured_providers import MAX_SECRET, parse_list


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("  a secret\n")
    return path


def test_providers_are_read_with_their_secrets(file: Path) -> None:
    """White space around the secret is not part of it. A path may contain colons."""
    odd = file.with_name("a:b")
    odd.write_text("another")
    github, google = parse_list(f"github:Iv1.0123:{file}, google:1-a.apps.example:{odd},")

    assert (github.preset, github.client_id) == ("github", "Iv1.0123")
    assert github.secret.get_secret_value() == "a secret"
    assert google.secret.get_secret_value() == "another"
    assert "a secret" not in repr(github)
    assert parse_list("") == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gitbuh:id:{file}", "'gitbuh' is none of bitbucket, "),
        ("apple:id:{file}", "'apple' is none of"),
        ("github", "github: preset:client_id:secret_file is needed"),
        ("github::{file}", "github: preset:client_id:secret_file is needed"),
        ("github:id:", "github: preset:client_id:secret_file is needed"),
        ("github:id:{file}.absent", "github: the secret's file cannot be read: No such file"),
        ("github:id:{file},github:other:{file}", "github is there twice"),
    ],
)
def test_a_mistake_is_named(file: Path, text: str, sentence: str) -> None:
    """The start is refused with a sentence that says what is wrong."""
    with pytest.raises(ValueError, match=sentence):
        parse_list(text.format(file=file))


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * (MAX_SECRET + 1)]
)
def test_a_file_that_holds_no_secret_is_refused(file: Path, content: bytes) -> None:
    """Another file by mistake is noticed at the start, and its content is not shown."""
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"github: the secret's file (must hold|is not)") as error:
        parse_list(f"github:id:{file}")

    assert "two" not in str(error.value)
