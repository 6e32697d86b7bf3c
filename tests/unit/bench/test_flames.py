"""Flame graphs are small enough for the documentation, and need py-spy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench import flames
from bench.flames import DURATIONS, LARGEST, Picture
from bench.load import Result
from bench.workloads import Workload

WORKLOAD = Workload("W2-es256", lambda: lambda seconds: Result(1, seconds, 0, 1.0, 2.0))


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Picture:
    monkeypatch.setattr(flames, "FOLDER", tmp_path)
    return Picture(WORKLOAD, "gateway", 1)


def recorder(folder: Path, bytes_each_second: int) -> str:
    """Returns a program that writes as many bytes as py-spy might, for `--duration` and `--output`."""
    program = folder / "py-spy"
    program.write_text(f'#!/bin/sh\nhead -c $(({bytes_each_second} * $5)) /dev/zero > "${{11}}"\n')
    program.chmod(0o755)
    return str(program)


def test_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started without py-spy."""
    monkeypatch.setattr(sys, "argv", ["flames"])
    monkeypatch.setattr(flames, "find_recorder", lambda: None)
    monkeypatch.setattr(flames, "started_deployment", lambda *_: pytest.fail("it was started"))

    assert flames.main() == 2
    assert "py-spy is not installed" in capsys.readouterr().err


def test_a_large_picture_is_recorded_again_and_shorter(tmp_path: Path, picture: Picture) -> None:
    """The first one is above the limit, the second one is kept."""
    each_second = LARGEST // DURATIONS[1]

    assert flames._write(recorder(tmp_path, each_second), picture)
    assert picture.file == tmp_path / "w2-gateway.svg"
    assert picture.file.stat().st_size == each_second * DURATIONS[1]


def test_a_picture_that_stays_too_large_replaces_nothing(tmp_path: Path, picture: Picture) -> None:
    """The old one stays, and the command fails."""
    picture.file.write_text("old")

    assert not flames._write(recorder(tmp_path, LARGEST), picture)
    assert picture.file.read_text() == "old"


def test_the_title_says_what_was_recorded() -> None:
    """py-spy's title is its command, with paths of the machine."""
    svg = '<svg><text id="title" y="24.00">/home/me/py-spy record</text><text>a</text></svg>'

    assert flames.titled(svg, "W3, oidc") == (
        '<svg><text id="title" y="24.00">W3, oidc</text><text>a</text></svg>'
    )


def test_the_pictures_of_the_documentation_are_small_and_name_no_path() -> None:
    """A page with large pictures is slow, and paths of a machine say nothing to a reader."""
    folder = Path(flames.__file__).parents[1] / "docs" / "flames"

    for file in folder.glob("*.svg"):
        assert file.stat().st_size <= LARGEST
        assert "py-spy record" not in file.read_text()
