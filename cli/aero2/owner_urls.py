"""The databases of a deployment, as their owner reaches them: one in each cluster (docs/adr/0032)."""

from __future__ import annotations

import os

from aero2.secret_variables import OWNER, OWNER_PASSWORD, owner_login
from common.cluster_settings import BAD_NAME, cluster_url, is_name, setting_of, url_variables
from common.database_url import DatabaseUrl
from common.homes import MAIN

PREFIX = "AERO2_"
SETTING = OWNER.removeprefix(PREFIX).lower()


class BadCluster(Exception):
    """A variable names a cluster that cannot be. The text is a sentence for the operator."""


def owner_logins() -> dict[str, DatabaseUrl]:
    """Returns the owner's logins by cluster, that of `main` last: no cluster may lack what `main` has. Empty
    without AERO2_OWNER_DATABASE_URL. Raises BadCluster and BadSecret."""
    if (main := owner_login()) is None:
        return {}
    logins: dict[str, DatabaseUrl] = {}
    for variable in url_variables(os.environ, PREFIX, [SETTING]):
        _, cluster = setting_of(variable, PREFIX)
        if not is_name(cluster):
            raise BadCluster(f"{variable}: {BAD_NAME}")
        logins[cluster] = cluster_url(variable, os.environ, main.password)
    return {**logins, MAIN: main}


def owner_urls() -> dict[str, str]:
    """Returns the owner's DSN by cluster, with its password, as `owner_logins` does: of several lines the
    first."""
    return {cluster: login.logins()[0] for cluster, login in owner_logins().items()}


def owner_password_variable(cluster: str) -> str:
    """Returns the variable with the owner's password in a cluster."""
    return OWNER_PASSWORD if cluster == MAIN else f"{OWNER_PASSWORD}_{cluster.upper()}"
