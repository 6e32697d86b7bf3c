"""Further clusters are named by variables, and each has all URLs of the service."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from common.cluster_settings import ClusterMistake, read_clusters
from common.context import Context
from common.shared_settings import misplaced
from rbac.settings import Settings

KEY = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SETTINGS = Settings(
    master_key=SecretStr(KEY),
    database_url=SecretStr("postgresql://main/aero2"),
    relay_database_url=SecretStr("postgresql://main-relay/aero2"),
)
WEST = {
    "AERO2_DATABASE_URL_WEST": "postgresql://west",
    "AERO2_RELAY_DATABASE_URL_WEST": "postgresql://west-relay",
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
        "west": {"database_url": "postgresql://west", "relay_database_url": "postgresql://west-relay"},
    }  # fmt: skip


def test_a_variable_of_the_service_goes_first() -> None:
    """As for all settings: `AERO2_RBAC_…` is for rbac alone."""
    environment = WEST | {
        "AERO2_RBAC_DATABASE_URL_WEST": "postgresql://own",
        "AERO2_OIDC_DATABASE_URL_WEST": "postgresql://of-oidc",
    }

    assert urls(environment)["west"]["database_url"] == "postgresql://own"


def test_each_cluster_has_every_url() -> None:
    """A cluster without a URL for the relay would keep its events for ever."""
    with pytest.raises(ClusterMistake, match="AERO2_RELAY_DATABASE_URL_WEST is missing"):
        urls({"AERO2_DATABASE_URL_WEST": "postgresql://west"})


@pytest.mark.parametrize("name", ["MAIN", "1ST", "A" * 32])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ClusterMistake, match=f"AERO2_DATABASE_URL_{name}: "):
        urls({f"AERO2_DATABASE_URL_{name}": "postgresql://x"})


@pytest.mark.parametrize(
    "variable", ["AERO2_DATABASE_URL_FILE", "AERO2_OTHER_DATABASE_URL_WEST", "DATABASE_URL_WEST"]
)
def test_other_variables_name_no_cluster(variable: str) -> None:
    assert list(urls({variable: "postgresql://x"})) == ["main"]


def test_services_of_one_process_have_urls_of_their_own() -> None:
    """A URL of all services would give them one database role."""
    (sentence,) = misplaced(["oidc", "rbac"], {"AERO2_DATABASE_URL_WEST": "postgresql://x"})

    assert "AERO2_OIDC_DATABASE_URL_WEST, AERO2_RBAC_DATABASE_URL_WEST" in sentence


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
