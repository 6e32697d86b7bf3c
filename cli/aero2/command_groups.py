"""Groups of commands: help without colours, since rich costs more than the help itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


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


GROUPS = {
    "apps": "Applications.",
    "archive": "The archive of the WAL.",
    "audit": "The audit log: verify an export, list the events.",
    "callout": "NATS servers that ask Aero2 who connects.",
    "clients": "OAuth clients.",
    "cluster": "A cluster of three NATS servers.",
    "keys": "Signing keys.",
    "secrets": "Master keys and passwords.",
    "stream": "The audit stream: its copies, and what is missing on it.",
    "users": "Users in bulk.",
}
"""Modules of aero2 with an `app` of commands, and their help. They are imported when one of their
commands runs: what they need would cost every `aero2 up` half a second, and every help more."""


class LazyGroup(TyperGroup):
    """Imports the module of a group for its commands, and not to list it."""

    running = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *GROUPS]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.running = True
        try:
            return super().resolve_command(ctx, args)
        finally:
            self.running = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        if not self.running:
            return TyperGroup(name=cmd_name, help=GROUPS[cmd_name], rich_markup_mode=None)
        group = get_command(import_module(f"aero2.{cmd_name}").app)
        group.name = cmd_name
        return group
