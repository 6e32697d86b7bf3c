"""Groups of commands: help without colours, since rich costs more than the help itself."""

from __future__ import annotations

from typing import Any

import typer


def new_group(help: str | None = None, **more: Any) -> typer.Typer:
    """Returns a command or group. Shell completion is not offered."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_show_locals=False,
        **more,
    )
