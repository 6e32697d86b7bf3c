"""Contracts that only the tests of this folder call."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.contracts.base import OPEN, Contract, Request
from common.problems import Conflict


class Answer(Contract):
    text: str = ""
    number: float = 0.0


class Read(Request[Answer], subject="probe.thing.read", needs=OPEN, within=2.0, safe=True):
    name: str = ""


class Write(Request[Answer], subject="probe.thing.write", needs=OPEN, within=2.0):
    name: str = Field(default="", max_length=100, repr=False)
    count: int = 0


class Slow(Request[Answer], subject="probe.thing.slow", needs=OPEN, within=60.0):
    """A contract with a long time limit, so that a test would notice a wait for its deadline."""


class Echo(Request[Answer], subject="probe.thing.echo", needs=OPEN, within=60.0):
    text: str = ""


class Guarded(Request[Answer], subject="probe.thing.guarded", needs="things:write"):
    pass


class NameTaken(Conflict):
    code, title = "probe_name_taken", "The name is taken."


Handled = dict[type[Request[Any]], Any]
