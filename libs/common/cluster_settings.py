"""The settings of further clusters: `AERO2_DATABASE_URL_<NAME>`, and the same for each job's URL.

`AERO2_DATABASE_URL` is that of the cluster `main`. A name is in capital letters there: `WEST` for `west`. A URL, or
its password alone, can stand in a file, as that of `main` can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import SecretStr

from common.database_url import DatabaseUrl, mistake_of
from common.homes import MAIN, NAME
from common.secret_files import SUFFIX as FILE
from common.secret_files import BadSecret, lines
from common.secret_source import DATABASE_PASSWORD, find_database_url, password_variable
from common.settings import DatabaseSettings

SUFFIX: Final = "database_url"
"""The end of the names of all settings that have a URL in each cluster."""
BAD_NAME: Final = (
    "a further cluster has a name of lower-case letters, digits and underscores, at most 31, that is not "
    f"{MAIN} and does not end in {FILE.lower()}"
)

Clusters = dict[str, dict[str, SecretStr]]
"""The URLs of each cluster, by the names of their settings."""


class ClusterMistake(Exception):
    """The settings or a database of a cluster are wrong. The text is a sentence for the operator."""


def url_settings(settings: DatabaseSettings) -> list[str]:
    """Returns the names of the settings that have a URL in each cluster."""
    return [name for name in type(settings).model_fields if name.endswith(SUFFIX)]


def read_clusters(
    settings: DatabaseSettings, service: str, environment: Mapping[str, str]
) -> Clusters:
    """Returns the URLs of each cluster, `main` first. Raises ClusterMistake for a name that is none, a URL or a
    file that cannot be used, and a cluster that lacks a URL."""
    reader = ClusterReader(settings, service, environment)
    for variable, text in reader.mistakes():
        raise ClusterMistake(f"{variable}: {text}.")
    return reader.clusters


class ClusterReader:
    """Reads the URLs of further clusters, for one service."""

    def __init__(
        self, settings: DatabaseSettings, service: str, environment: Mapping[str, str]
    ) -> None:
        self._environment = environment
        self._prefixes = ("AERO2_", f"AERO2_{service.upper()}_")
        """The service's own variables go last, so they count."""
        jobs = [name.removesuffix(SUFFIX) for name in url_settings(settings) if name != SUFFIX]
        own = {f"{job}{SUFFIX}": getattr(settings, f"{job}database_url") for job in jobs}
        self.clusters: Clusters = {MAIN: {SUFFIX: settings.database_url, **own}}

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Reads the clusters. Yields a variable and what is wrong with it, for each mistake."""
        names = list(self.clusters[MAIN])
        wrong = set()
        for prefix in self._prefixes:
            for variable in url_variables(self._environment, prefix, names):
                setting, cluster = setting_of(variable, prefix)
                if not is_name(cluster):
                    yield variable, BAD_NAME
                    continue
                try:
                    url = self._url(variable, setting)
                except BadSecret as problem:
                    wrong.add(cluster)
                    yield problem.variable, problem.text
                else:
                    self.clusters.setdefault(cluster, {})[setting] = url
        for cluster, urls in self.clusters.items():
            if cluster not in wrong and (missing := [name for name in names if name not in urls]):
                yield (
                    f"AERO2_{missing[0].upper()}_{cluster.upper()}",
                    f"is not set, and the cluster {cluster} has other URLs",
                )

    def _url(self, variable: str, setting: str) -> SecretStr:
        main = self.clusters[MAIN][setting]
        shared = main.password if isinstance(main, DatabaseUrl) else None
        return cluster_url(variable, self._environment, shared)


def cluster_url(
    variable: str, environment: Mapping[str, str], shared_password: SecretStr | None
) -> DatabaseUrl:
    """Returns the logins of the DSN that a variable of a cluster, or its file, has. A DSN without a password
    has that of `main`: `aero2 migrate` sets the same in all clusters. Raises BadSecret."""
    url = find_database_url(
        variable, password_variable(variable), environment.get, shared_password=shared_password
    )
    if not isinstance(url, DatabaseUrl):
        raise BadSecret(variable, "is not set")
    for mistake in filter(None, map(mistake_of, lines(url.get_secret_value()) or [""])):
        raise BadSecret(variable, mistake)
    return url


def is_name(cluster: str) -> bool:
    """Returns whether a further cluster can have this name."""
    is_file = f"_{cluster}".endswith(FILE.lower())
    return cluster != MAIN and not is_file and NAME.fullmatch(cluster) is not None


def url_variables(environment: Mapping[str, str], prefix: str, names: list[str]) -> Iterator[str]:
    """Yields the variable of each URL of a cluster that is set, or whose file or password is. `names` are the
    settings of URLs."""
    urls = "|".join(name.upper() for name in names)
    passwords = "|".join(name.replace(SUFFIX, DATABASE_PASSWORD).upper() for name in names)
    pattern = re.compile(rf"{prefix}(?:{urls}|{passwords})_\w+")
    variables = set()
    for variable, value in environment.items():
        if value and pattern.fullmatch(variable):
            url = variable.removesuffix(FILE).replace(DATABASE_PASSWORD.upper(), SUFFIX.upper(), 1)
            if pattern.fullmatch(url):  # else the file of `main`
                variables.add(url)
    yield from sorted(variables)


def setting_of(variable: str, prefix: str) -> tuple[str, str]:
    """Returns the setting and the cluster of a variable: `relay_database_url` and `west` of
    `AERO2_RELAY_DATABASE_URL_WEST`."""
    job, _, cluster = variable.removeprefix(prefix).partition(f"{SUFFIX.upper()}_")
    return f"{job}{SUFFIX}".lower(), cluster.lower()
