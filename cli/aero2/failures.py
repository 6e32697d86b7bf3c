"""Errors of commands, as one sentence for the person at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager


class CommandError(Exception):
    """The command cannot continue. The user sees the message without a traceback; `detail` is the
    end of the log that explains it."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        if detail:
            self.add_note(detail)  # a traceback shows it, too


@contextmanager
def report_failures() -> Iterator[None]:
    """Shows a CommandError, or a Problem that a service answered, as its sentence, and ends the
    command with exit code 1."""
    from common.problems import Problem

    try:
        yield
    except CommandError as refused:
        _show(str(refused), refused.detail)
    except Problem as problem:
        _show(f"Aero2 answered: {problem.detail or problem.title}", "")


def _show(sentence: str, detail: str) -> None:
    import typer
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    if detail:
        console.print(detail, style="dim")
    console.print(sentence, style="bold red")
    raise typer.Exit(1) from None
