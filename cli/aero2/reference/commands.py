"""docs/reference/cli.md: every command of `aero2`, from its help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aero2.reference.markdown import prose, table

if TYPE_CHECKING:
    import typer

HEAD = """\
# The command `aero2`

`make setup` installs it as `.venv/bin/aero2`. Each command explains itself with `--help`. The containers have it as the service `cli`: `docker compose run --rm cli owner-link`.
"""


def page(app: typer.Typer) -> str:
    """Returns one section for each command of `app` that is not hidden."""
    from typer.main import get_command

    parts = [HEAD]
    for path, command in _commands("aero2", get_command(app)):
        parts.append(_section(path, command))
    return "\n".join(parts)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    import click

    if not hasattr(command, "list_commands"):
        yield path, command
        return
    ctx = click.Context(command, info_name=path)
    command.running = True  # a lazy group imports its commands only when one of them runs
    for name in command.list_commands(ctx):
        inner = command.get_command(ctx, name)
        if inner is not None and not inner.hidden:
            yield from _commands(f"{path} {name}", inner)


def _section(path: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([path, *("[OPTIONS]" for _ in options[:1]), *map(_metavar, arguments)])
    says = "\n\n".join(prose(each) for each in (command.help or "").split("\n\n"))
    parts = [f"## `{path}`\n", f"{says}\n", f"```\n{usage}\n```\n"]
    rows = [(f"`{_metavar(each)}`", "", each.help or "") for each in arguments]
    rows += [
        (", ".join(f"`{name}`" for name in each.opts), _default(each), each.help or "")
        for each in options
        if each.name != "help"
    ]
    if rows:
        parts.append(table(("parameter", "default", "meaning"), rows) + "\n")
    return "\n".join(parts)


def _metavar(argument: Any) -> str:
    name = (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.default in (None, False, ()) or callable(option.default):
        return ""
    return f"`{option.default}`"
