"""The `aero2` command."""

import typer

from aero2 import migrate

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Aero2: sign-in for many applications from one deployment."""


app.command("migrate")(migrate.command)

if __name__ == "__main__":
    app()
