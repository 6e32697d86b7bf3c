"""`aero2 serve`: runs services, together in one process or in several that share the gateway's port."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from aero2.failures import CommandError
from aero2.nats_access import SERVICES
from common.service import Program, run
from common.together import run_together


def serve(names: Sequence[str]) -> None:
    """Runs the services until a signal to stop. Raises CommandError for a name that is no service, and
    for a name that is there twice."""
    programs = [_program(name) for name in checked(names)]
    if len(programs) == 1:
        run(programs[0])
    else:
        run_together(programs)


def checked(names: Sequence[str]) -> Sequence[str]:
    """Returns the names if each is a service and stands there once. Raises CommandError otherwise."""
    for name in names:
        if name not in SERVICES:
            raise CommandError(f"{name} is no service. There are: {', '.join(SERVICES)}.")
    if len(set(names)) < len(names):
        raise CommandError("A service is named twice.")
    return names


def _program(name: str) -> Program:
    program: Program = import_module(f"{name}.__main__").SERVICE
    return program
