"""Further clusters are named by variables, and each has all URLs of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.kit.world import MASTER_KEY

from common.cluster_settings import ClusterMistake, read_clusters
from common.context import Context
from common.database_url import DatabaseUrl
from common.environment_settings import read_settings
from common.known_variables import misspelled
from common.settings import DatabaseSettings
from common.shared_settings import misplaced
from rbac.settings import Settings

SETTINGS = Settings(
    master_key=SecretStr(MASTER_KEY),
    database_url=SecretStr("postgresql://main/aero2"),
    relay_database_url=SecretStr("postgresql://main-relay/aero2"),
)
WEST = {
    "AERO2_DATABASE_URL_WEST": "postgresql://west/aero2",
    "AERO2_RELAY_DATABASE_URL_WEST": "postgresql://west-relay/aero2",
}


def urls(environment: dict[str, str]) -> dict[str, dict[str, str]]:
    found = read_clusters(SETTINGS, "rbac", environment)
    return {
        cluster: {name: url.get_secret_value() for name, url in urls.items()}
        for cluster, urls in found.items()
    }


def test_without_further_variables_there_is_one_cluster() -> None:
    assert list(urls({"AERO2_DATABASE_URL": "postgresql://main/aero2"})) == ["main"]


def test_a_variable_names_a_cluster() -> None:
    assert urls(WEST) == {
        "main": {"database_url": "postgresql://main/aero2", "relay_database_url": "postgresql://main-relay/aero2"},
        "west": {"database_url": "postgresql://west/aero2", "relay_database_url": "postgresql://west-relay/aero2"},
    }  # fmt: skip


def test_a_variable_of_the_service_goes_first() -> None:
    """As for all settings: `AERO2_RBAC_…` is for rbac alone."""
    environment = WEST | {
        "AERO2_RBAC_DATABASE_URL_WEST": "postgresql://own/aero2",
        "AERO2_OIDC_DATABASE_URL_WEST": "postgresql://of-oidc/aero2",
    }

    assert urls(environment)["west"]["database_url"] == "postgresql://own/aero2"


def test_each_cluster_has_every_url() -> None:
    """A cluster without a URL for the relay would keep its events for ever."""
    with pytest.raises(ClusterMistake, match="AERO2_RELAY_DATABASE_URL_WEST: is not set"):
        urls({"AERO2_DATABASE_URL_WEST": "postgresql://west/aero2"})


@pytest.mark.parametrize("name", ["MAIN", "1ST", "A" * 32])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ClusterMistake, match=f"AERO2_DATABASE_URL_{name}: "):
        urls({f"AERO2_DATABASE_URL_{name}": "postgresql://x"})


@pytest.mark.parametrize(
    "variable",
    [
        "AERO2_DATABASE_URL_FILE",
        "AERO2_DATABASE_PASSWORD_FILE",
        "AERO2_OTHER_DATABASE_URL_WEST",
        "DATABASE_URL_WEST",
    ],
)
def test_other_variables_name_no_cluster(variable: str) -> None:
    assert list(urls({variable: "postgresql://x"})) == ["main"]


def logins(environment: dict[str, str], setting: str = "database_url") -> list[str]:
    url = read_clusters(SETTINGS, "rbac", environment)["west"][setting]
    assert isinstance(url, DatabaseUrl)
    return url.logins()


def test_urls_and_passwords_of_a_cluster_stand_in_files(tmp_path: Path) -> None:
    """As those of `main`: the whole DSN, or its password alone. Files are read again for each connection, and
    each line is a login."""
    (tmp_path / "dsn").write_text("postgresql://aero2_rbac:given@west/aero2\n")
    (tmp_path / "password").write_text("new\nold\n")
    environment = {
        "AERO2_DATABASE_URL_WEST_FILE": str(tmp_path / "dsn"),
        "AERO2_RELAY_DATABASE_URL_WEST": "postgresql://aero2_relay@west/aero2",
        "AERO2_RELAY_DATABASE_PASSWORD_WEST_FILE": str(tmp_path / "password"),
    }
    clusters = read_clusters(SETTINGS, "rbac", environment)
    relay = clusters["west"]["relay_database_url"]

    assert list(clusters) == ["main", "west"]
    assert logins(environment) == ["postgresql://aero2_rbac:given@west/aero2"]
    assert isinstance(relay, DatabaseUrl)
    assert relay.logins() == [
        "postgresql://aero2_relay:new@west/aero2",
        "postgresql://aero2_relay:old@west/aero2",
    ]
    before = relay.versions()
    (tmp_path / "password").write_text("newest\n")
    assert relay.logins() == ["postgresql://aero2_relay:newest@west/aero2"]
    assert relay.versions() != before


def test_one_password_may_be_that_of_a_role_in_all_clusters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`aero2 migrate` sets it in all. A DSN of a cluster without a password has it; one with its own keeps it."""
    (tmp_path / "rbac").write_text("new\nold\n")
    for name, value in {
        "AERO2_MASTER_KEY": MASTER_KEY,
        "AERO2_DATABASE_URL": "postgresql://aero2_rbac@main/aero2",
        "AERO2_DATABASE_PASSWORD_FILE": str(tmp_path / "rbac"),
        "AERO2_RELAY_DATABASE_URL": "postgresql://aero2_relay:r@main/aero2",
    }.items():
        monkeypatch.setenv(name, value)
    settings: DatabaseSettings = read_settings(DatabaseSettings, "rbac")
    west = {
        "AERO2_DATABASE_URL_WEST": "postgresql://aero2_rbac@west/aero2",
        "AERO2_RELAY_DATABASE_URL_WEST": "postgresql://aero2_relay:own@west/aero2",
    }
    url, relay = read_clusters(settings, "rbac", west)["west"].values()

    assert isinstance(url, DatabaseUrl)
    assert [login.partition("@")[0] for login in url.logins()] == [
        "postgresql://aero2_rbac:new",
        "postgresql://aero2_rbac:old",
    ]
    assert isinstance(relay, DatabaseUrl)
    assert relay.logins() == ["postgresql://aero2_relay:own@west/aero2"]


@pytest.mark.parametrize(
    ("variables", "refusal"),
    [
        ({"AERO2_DATABASE_URL_WEST_FILE": "/none"}, "AERO2_DATABASE_URL_WEST: is set, and so is"),
        (
            {"AERO2_DATABASE_PASSWORD_WEST_FILE": "/none"},
            "PASSWORD_WEST_FILE: /none cannot be read",
        ),
        ({"AERO2_DATABASE_URL_WEST": "west"}, "AERO2_DATABASE_URL_WEST: is not a DSN like"),
        (
            {"AERO2_DATABASE_PASSWORD_EAST": "x"},
            "PASSWORD_EAST: is set, and AERO2_DATABASE_URL_EAST",
        ),
        (
            {
                "AERO2_DATABASE_URL_WEST": "postgresql://a:hunter2@west/aero2",
                "AERO2_DATABASE_PASSWORD_WEST": "hunter2",
            },
            "PASSWORD_WEST: is set, and AERO2_DATABASE_URL_WEST has a password too",
        ),
    ],
)
def test_a_secret_of_a_cluster_that_cannot_be_used_is_named(
    variables: dict[str, str], refusal: str
) -> None:
    """By its variable, never by its value, as for `main`."""
    with pytest.raises(ClusterMistake, match=refusal) as caught:
        urls(WEST | variables)
    assert "hunter2" not in str(caught.value)


def test_a_start_names_the_mistakes_of_clusters_with_all_others(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name, value in {
        "AERO2_MASTER_KEY": MASTER_KEY,
        "AERO2_DATABASE_URL": "postgresql://main/aero2",
        "AERO2_RELAY_DATABASE_URL": "postgresql://main/aero2",
        "AERO2_DATABASE_URL_WEST": "postgresql://west/aero2",
        "AERO2_DATABASE_URL_EAST": "east",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        read_settings(DatabaseSettings, "rbac")

    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "AERO2_DATABASE_URL_EAST",
        "AERO2_RELAY_DATABASE_URL_WEST",
    ]


def test_variables_of_clusters_are_known() -> None:
    """They begin as others do, so they would be taken for misspelled ones."""
    names = [
        *("AERO2_DATABASE_URL_WEST_FILE", "AERO2_RELAY_DATABASE_PASSWORD_WEST"),
        *("AERO2_IDENTITY_PASSWORD_WEST_FILE", "AERO2_OWNER_DATABASE_PASSWORD_WEST_FILE"),
    ]
    assert list(misspelled(dict.fromkeys(names, "x"))) == []


def test_services_of_one_process_have_urls_of_their_own() -> None:
    """A URL of all services would give them one database role."""
    (sentence,) = misplaced(["oidc", "rbac"], {"AERO2_DATABASE_URL_WEST": "postgresql://x"})

    assert "AERO2_OIDC_DATABASE_URL_WEST, AERO2_RBAC_DATABASE_URL_WEST" in sentence
    assert len(list(misplaced(["oidc", "rbac"], {"AERO2_DATABASE_PASSWORD_WEST_FILE": "x"}))) == 1
    assert len(list(misplaced(["oidc", "rbac"], {"AERO2_DATABASE_URL_FILE": "x"}))) == 1


def test_the_home_travels_with_a_call() -> None:
    """Absence means `main`: that is what a gateway of the version before sends, and nothing more is sent
    with one cluster."""
    ctx = Context("018f0000-0000-7000-8000-00000000000a", trace="t")
    assert '"o"' not in ctx.encode()
    assert Context.decode(ctx.encode()).home == "main"
    west = ctx.with_home("west")
    assert Context.decode(west.encode()).home == "west"
    assert west.with_time_limit(1).home == "west"
    assert west.as_system().home == "west"
    assert west.with_application("018f0000-0000-7000-8000-00000000000b").home == "main"
    assert west.with_application(west.app_id).home == "west"
