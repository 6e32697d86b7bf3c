"""What the person at the terminal has to know, in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console


class Refused(Exception):
    """The command cannot go on. The message is shown as it is, without a traceback; `detail` is
    the end of the log that explains it."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


@contextmanager
def told() -> Iterator[None]:
    """Show a Refused as its sentence and end the command with exit code 1."""
    try:
        yield
    except Refused as refused:
        console = Console(stderr=True)
        if refused.detail:
            console.print(
                refused.detail, style="dim", markup=False, highlight=False, soft_wrap=True
            )
        console.print(str(refused), style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
