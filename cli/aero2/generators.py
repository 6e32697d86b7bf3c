"""Hidden commands that write files of the repository from the code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def nats_conf(folder: Annotated[Path, typer.Argument()] = Path("deploy")) -> None:
    """Write nats.conf and cluster/nats.conf: the rights of each service on the bus."""
    from aero2 import cluster_config, nats_access

    (folder / "nats.conf").write_text(nats_access.compose_configuration())
    (folder / "cluster" / "nats.conf").write_text(cluster_config.deployed_configuration())


def grafana(folder: Annotated[Path, typer.Argument()] = Path("deploy/observe")) -> None:
    """Write deploy/observe/grafana-dashboard.json from dashboard.toml beside it."""
    from aero2.grafana import dashboard

    text = dashboard(folder / "dashboard.toml")
    (folder / "grafana-dashboard.json").write_text(text, encoding="utf-8")


def errors(file: Annotated[Path, typer.Argument()] = Path("docs/errors.md")) -> None:
    """Write docs/errors.md: the codes of problems and field errors."""
    from aero2.error_catalogue import error_catalogue

    file.write_text(error_catalogue(), encoding="utf-8")


def llms_texts(
    site: Annotated[Path, typer.Argument()] = Path(".site"),
    configuration: Annotated[Path, typer.Option()] = Path("mkdocs.yml"),
) -> None:
    """Write llms.txt, llms-full.txt and the sources of the pages into the site."""
    from aero2 import llms_texts

    llms_texts.write(configuration, site)


def add_to(app: typer.Typer) -> None:
    """Adds the commands. `reference` describes the commands of `app`."""

    def reference(folder: Annotated[Path, typer.Argument()] = Path("docs/reference")) -> None:
        """Write the generated pages of the documentation."""
        from aero2.reference import write

        write(folder, app)

    for name, command in {
        "nats-conf": nats_conf,
        "grafana": grafana,
        "errors": errors,
        "llms-texts": llms_texts,
        "reference": reference,
    }.items():
        app.command(name, hidden=True)(command)
