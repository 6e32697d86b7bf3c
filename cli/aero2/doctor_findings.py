"""The findings of the checks of `aero2 doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. Skipped: there was nothing to look at, or no way to."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One sentence, and what to do about it. Both are empty of secrets."""

    check: str
    level: Level
    sentence: str
    advice: str = ""
    cluster: str = ""
    """The database cluster that it is about, if there are several."""


def ok(check: str, sentence: str) -> list[Finding]:
    """Returns a check that found nothing wrong."""
    return [Finding(check, Level.OK, sentence)]


def skipped(check: str, sentence: str) -> list[Finding]:
    """Returns a check that had nothing to look at."""
    return [Finding(check, Level.SKIPPED, sentence)]


def warning(check: str, sentence: str, advice: str) -> list[Finding]:
    """Returns something that will hurt later."""
    return [Finding(check, Level.WARNING, sentence, advice)]


def failure(check: str, sentence: str, advice: str) -> list[Finding]:
    """Returns something that is wrong now."""
    return [Finding(check, Level.FAILURE, sentence, advice)]
