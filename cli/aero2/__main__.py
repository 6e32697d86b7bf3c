"""The `aero2` command."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

if __name__ == "__main__":
    app()
