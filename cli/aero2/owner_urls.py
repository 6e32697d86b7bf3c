"""The databases of a deployment, as their owner reaches them: one in each cluster (docs/adr/0032)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aero2.failures import CommandError
from aero2.secret_variables import OWNER, OWNER_PASSWORD, owner_login
from common.cluster_settings import BAD_NAME, cluster_url, is_name, setting_of, url_variables
from common.database_url import DatabaseUrl
from common.homes import MAIN
from common.secret_files import BadSecret

PREFIX = "AERO2_"
SETTING = OWNER.removeprefix(PREFIX).lower()


class BadCluster(Exception):
    """A variable names a cluster that cannot be. The text is a sentence for the operator."""


def owner_variable(cluster: str) -> str:
    """Returns the variable with the owner's DSN in a cluster."""
    return OWNER if cluster == MAIN else f"{OWNER}_{cluster.upper()}"


def owner_password_variable(cluster: str) -> str:
    """Returns the variable with the owner's password in a cluster."""
    return OWNER_PASSWORD if cluster == MAIN else f"{OWNER_PASSWORD}_{cluster.upper()}"


def owner_logins(env: Mapping[str, str] | None = None) -> dict[str, DatabaseUrl]:
    """Returns the owner's logins by cluster, that of `main` last: no cluster may lack what `main` has. Empty
    without AERO2_OWNER_DATABASE_URL. Raises BadCluster and BadSecret."""
    variables = os.environ if env is None else env
    if (main := owner_login(variables)) is None:
        return {}
    logins: dict[str, DatabaseUrl] = {}
    for variable in url_variables(variables, PREFIX, [SETTING]):
        _, cluster = setting_of(variable, PREFIX)
        if not is_name(cluster):
            raise BadCluster(f"{variable}: {BAD_NAME}")
        logins[cluster] = cluster_url(variable, variables, main.password)
    return {**logins, MAIN: main}


def owner_urls(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the owner's DSN by cluster, with its password, as `owner_logins` does: of several lines the
    first."""
    return {cluster: login.logins()[0] for cluster, login in owner_logins(env).items()}


def read_owner_urls(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns what `owner_urls` does. Raises CommandError."""
    try:
        return owner_urls(env)
    except (BadCluster, BadSecret) as problem:
        raise CommandError(f"{problem}.") from None
