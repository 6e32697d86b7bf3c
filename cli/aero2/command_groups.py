"""Typer as all commands use it: help without colours, since rich costs more than the help itself."""

from __future__ import annotations

from typing import Any

import typer


def new_group(help: str | None = None, **more: Any) -> typer.Typer:
    """A command or group. Completion is not offered: half of it was, in groups only."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_show_locals=False,
        **more,
    )
