"""`aero2 serve`: runs services, together in one process or in several that share the gateway's port."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from aero2.failures import CommandError, report_failures
from aero2.nats_access import SERVICES
from aero2.workers import run_workers
from common.service import Program, run
from common.together import run_together


def serve(names: Sequence[str], workers: int = 1) -> None:
    """Runs the services until a signal to stop. Ends the command with one sentence for a name that is
    no service or is there twice, and for several workers without the gateway."""
    with report_failures():
        _check(names, workers)
    if workers > 1:
        run_workers(names, workers)
    elif len(names) > 1:
        run_together([_program(name) for name in names])
    else:
        run(_program(names[0]))


def _check(names: Sequence[str], workers: int) -> None:
    for name in names:
        if name not in SERVICES:
            raise CommandError(f"{name} is no service. There are: {', '.join(SERVICES)}.")
    if len(set(names)) < len(names):
        raise CommandError("A service is named twice.")
    if workers > 1 and "gateway" not in names:
        raise CommandError("--workers needs the gateway, whose port they share.")


def _program(name: str) -> Program:
    program: Program = import_module(f"{name}.__main__").SERVICE
    return program
