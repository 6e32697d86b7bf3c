"""The APIs that an access token is for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """The APIs that an access token is for, and its lifetime (in seconds) and algorithm there."""

    audience: list[str]
    lifetime: int
    alg: str
