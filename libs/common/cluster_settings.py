"""The settings of further clusters: `AERO2_DATABASE_URL_<NAME>`, and the same for each job's URL.

`AERO2_DATABASE_URL` is that of the cluster `main`. A name is in capital letters there: `WEST` for `west`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import SecretStr

from common.homes import MAIN, NAME
from common.settings import DatabaseSettings

SUFFIX: Final = "database_url"
"""The end of the names of all settings that have a URL in each cluster."""
FILE: Final = "file"
"""`AERO2_DATABASE_URL_FILE` names a file, and no cluster."""


class ClusterMistake(Exception):
    """The settings or a database of a cluster are wrong. The text is a sentence for the operator."""


def url_settings(settings: DatabaseSettings) -> list[str]:
    """Returns the names of the settings that have a URL in each cluster."""
    return [name for name in type(settings).model_fields if name.endswith(SUFFIX)]


def read_clusters(
    settings: DatabaseSettings, service: str, environment: Mapping[str, str]
) -> dict[str, dict[str, SecretStr]]:
    """Returns the URLs of each cluster by the names of their settings, `main` first. Raises
    ClusterMistake for a name that is none, and for a cluster that lacks a URL."""
    jobs = [name.removesuffix(SUFFIX) for name in url_settings(settings) if name != SUFFIX]
    own = {f"{job}{SUFFIX}": getattr(settings, f"{job}database_url") for job in jobs}
    clusters: dict[str, dict[str, SecretStr]] = {MAIN: {SUFFIX: settings.database_url, **own}}
    names = list(clusters[MAIN])
    for prefix in ("AERO2_", f"AERO2_{service.upper()}_"):  # the service's own variable goes last
        for setting, cluster, value in _variables(environment, prefix, names):
            clusters.setdefault(cluster, {})[setting] = SecretStr(value)
    for cluster, urls in clusters.items():
        if missing := [name for name in names if name not in urls]:
            variable = f"AERO2_{missing[0].upper()}_{cluster.upper()}"
            raise ClusterMistake(f"{variable} is missing: the cluster {cluster} has other URLs.")
    return clusters


def _variables(
    environment: Mapping[str, str], prefix: str, names: Iterable[str]
) -> Iterable[tuple[str, str, str]]:
    """Returns the setting, the cluster and the value of each variable. Raises ClusterMistake."""
    pattern = re.compile(rf"{prefix}({'|'.join(name.upper() for name in names)})_(\w+)")
    for variable, value in sorted(environment.items()):
        match = pattern.fullmatch(variable)
        if match is None or not value or match[2].lower() == FILE:
            continue
        cluster = match[2].lower()
        if cluster.endswith(f"_{FILE}"):
            raise ClusterMistake(
                f"{variable}: the URL of a further cluster cannot stand in a file."
            )
        if cluster == MAIN or not NAME.fullmatch(cluster):
            raise ClusterMistake(
                f"{variable}: a further cluster has a name of lower-case letters, digits and "
                f"underscores, at most 31, that is not {MAIN}."
            )
        yield match[1].lower(), cluster, value
