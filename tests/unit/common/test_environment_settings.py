"""A start with a wrong configuration names every mistake at once, and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.kit.world import MASTER_KEY

from common.database_url import DatabaseUrl
from common.environment_settings import read_configuration, read_settings
from common.known_variables import misspelled
from common.settings import DatabaseSettings, Settings
from gateway.settings import GatewaySettings
from identity.settings import Settings as IdentitySettings
from tenancy.settings import Settings as TenancySettings

DSN = "postgresql://aero2_x:hunter2@db/aero2"
GOOD = {
    "AERO2_MASTER_KEY": MASTER_KEY,
    "AERO2_DATABASE_URL": DSN,
    "AERO2_RELAY_DATABASE_URL": DSN,
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("AERO2_")]:
        monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def refusal(capsys: Any, *wanted: tuple[str, type[Settings]]) -> list[str]:
    """Returns the lines of a refused start."""
    with pytest.raises(SystemExit) as ended:
        read_configuration(wanted)
    assert ended.value.code == 1
    text: str = capsys.readouterr().err
    assert "hunter2" not in text
    return text.splitlines()


def test_every_mistake_is_reported_at_once(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Missing, wrong, unreadable, and twice: one start shows all, with the variable that is meant."""
    (tmp_path / "empty").touch()
    set_all(
        monkeypatch,
        {
            "AERO2_MASTER_KEYS": MASTER_KEY,
            "AERO2_DATABASE_URL": "postgresql://aero2_x:hun/ter2@db/hunter2",
            "AERO2_RELAY_DATABASE_URL_FILE": str(tmp_path / "empty"),
            "AERO2_POOL_SIZE": "hunter2",
            "AERO2_IDENTITY_QUEUE": "-1",
            "AERO2_SMTP_URL": "smtp://u:hunter2@mail",
            "AERO2_SMTP_URL_FILE": "/run/secrets/smtp",
            "AERO2_PUBLIC_URL": "https://u:hunter2@id.example.com/path",
        },
    )
    lines = refusal(capsys, ("identity", IdentitySettings))

    variables = [line.split(": ")[1] for line in lines[:-1]]
    assert sorted(variables) == [
        "AERO2_DATABASE_URL",
        "AERO2_IDENTITY_QUEUE",
        "AERO2_MAIL_DATABASE_URL",
        "AERO2_MASTER_KEY",
        "AERO2_POOL_SIZE",
        "AERO2_PUBLIC_URL",
        "AERO2_RELAY_DATABASE_URL_FILE",
        "AERO2_SEARCH_DATABASE_URL",
        "AERO2_SMTP_URL",
        "AERO2_SWEEP_DATABASE_URL",
    ]
    assert all(line.startswith("identity: ") for line in lines[:-1])
    assert "identity: AERO2_MASTER_KEY: is not set, and neither is AERO2_MASTER_KEY_FILE" in lines
    assert lines[-1] == (
        "AERO2_MASTER_KEYS has no effect: there is no such variable. Did you mean AERO2_MASTER_KEY?"
    )


def test_mistakes_of_all_services_of_a_process_come_together(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A common variable is named once, with the services that read it."""
    set_all(
        monkeypatch,
        {
            "AERO2_MASTER_KEY": "k1:short",
            "AERO2_NATS_USER": "everybody",
            "AERO2_NATS_PASSWORD_FILE": "/run/secrets/nats",
            "AERO2_TENANCY_DATABASE_URL": DSN,
            "AERO2_RELAY_DATABASE_URL": DSN,
        },
    )
    lines = refusal(capsys, ("gateway", GatewaySettings), ("rbac", DatabaseSettings))

    assert lines == [
        "AERO2_NATS_USER: each service of a process has its own: AERO2_GATEWAY_NATS_USER, "
        "AERO2_RBAC_NATS_USER",
        "AERO2_NATS_PASSWORD_FILE: each service of a process has its own: "
        "AERO2_GATEWAY_NATS_PASSWORD_FILE, AERO2_RBAC_NATS_PASSWORD_FILE",
        "gateway, rbac: AERO2_NATS_PASSWORD_FILE: /run/secrets/nats cannot be read: No such file or "
        "directory",
        "gateway, rbac: AERO2_MASTER_KEY: master key 'k1' is not base64",
        "rbac: AERO2_RBAC_DATABASE_URL: is not set, and neither is AERO2_RBAC_DATABASE_URL_FILE",
    ]


def test_a_service_reads_its_own_file_before_the_common_value(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`AERO2_RBAC_DATABASE_URL_FILE` goes before AERO2_DATABASE_URL, as every variable of a service."""
    (tmp_path / "dsn").write_text("postgresql://own@db/aero2\n")
    (tmp_path / "password").write_text("new\nold\n")
    (tmp_path / "key").write_text(f"{MASTER_KEY}\n")
    set_all(
        monkeypatch,
        {
            "AERO2_MASTER_KEY_FILE": str(tmp_path / "key"),
            "AERO2_RBAC_DATABASE_URL_FILE": str(tmp_path / "dsn"),
            "AERO2_RBAC_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
            "AERO2_DATABASE_URL": DSN,
            "AERO2_RELAY_DATABASE_URL": "postgresql://relay@db/aero2",
            "AERO2_RELAY_DATABASE_PASSWORD": "given",
        },
    )
    settings: DatabaseSettings = read_settings(DatabaseSettings, "rbac")

    assert settings.keys.active == "k1"
    assert isinstance(settings.database_url, DatabaseUrl)
    assert settings.database_url.logins() == [
        "postgresql://own:new@db/aero2",
        "postgresql://own:old@db/aero2",
    ]
    assert isinstance(settings.relay_database_url, DatabaseUrl)
    assert settings.relay_database_url.logins() == ["postgresql://relay:given@db/aero2"]


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"AERO2_DATABASE_PASSWORD": "hunter2"},
            "rbac: AERO2_DATABASE_PASSWORD: is set, and AERO2_DATABASE_URL has a password too",
        ),
        (
            {"AERO2_DATABASE_PASSWORD": "hunter2", "AERO2_DATABASE_PASSWORD_FILE": "/x"},
            "rbac: AERO2_DATABASE_PASSWORD: is set, and so is AERO2_DATABASE_PASSWORD_FILE: only "
            "one may be",
        ),
        (
            {"AERO2_RBAC_DATABASE_PASSWORD": "hunter2"},
            "rbac: AERO2_RBAC_DATABASE_PASSWORD: is set, and AERO2_RBAC_DATABASE_URL is not",
        ),
    ],
)
def test_a_password_that_would_not_count_is_refused(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], line: str
) -> None:
    set_all(monkeypatch, GOOD | variables)

    assert refusal(capsys, ("rbac", DatabaseSettings)) == [line]


def test_settings_that_belong_together_are_checked_with_all_others(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a pair would be ignored without a word."""
    jobs = {f"AERO2_{job}_DATABASE_URL": DSN for job in ("SWEEP", "UPKEEP")}
    set_all(monkeypatch, GOOD | jobs | {"AERO2_CLOUDFLARE_ZONE": "z", "AERO2_NATS_USER": "tenancy"})
    lines = refusal(capsys, ("tenancy", TenancySettings))

    assert lines == [
        "tenancy: AERO2_NATS_PASSWORD: AERO2_NATS_USER and a password belong together",
        "tenancy: AERO2_CLOUDFLARE_TOKEN: AERO2_CLOUDFLARE_ZONE and a token belong together",
    ]


def test_a_good_configuration_prints_nothing(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nobody knows refuses no start."""
    set_all(monkeypatch, GOOD | {"AERO2_POOL_SIZES": "3", "AERO2_METRICS_TOKEN": ""})
    settings: DatabaseSettings = read_settings(DatabaseSettings, "rbac")

    assert settings.pool_size == 10
    assert capsys.readouterr().err == ""


def test_misspelled_variables_are_found() -> None:
    """With the variable that was meant, if one is close. Kubernetes' variables are none of ours."""
    environment = {
        "AERO2_LIMIT_SCAL": "1",
        "AERO2_IDENTITY_POOLSIZE": "1",
        "AERO2_METRICS_TOKEN_FILES": "1",
        "AERO2_COMPLETELY_DIFFERENT": "1",
        "AERO2_LIMIT_SCALE": "1",
        "AERO2_OIDC_POOL_SIZE": "1",
        "AERO2_OIDC_DATABASE_PASSWORD_FILE": "1",
        "AERO2_GATEWAY_PORT_8000_TCP_ADDR": "10.0.0.1",
        "AERO2_RBAC_SERVICE_HOST": "10.0.0.1",
        "AERO2_RBAC_SERVICE_PORT_METRICS": "1",
        "PATH": "/bin",
    }

    assert dict(misspelled(environment)) == {
        "AERO2_COMPLETELY_DIFFERENT": "",
        "AERO2_IDENTITY_POOLSIZE": "AERO2_IDENTITY_POOL_SIZE",
        "AERO2_LIMIT_SCAL": "AERO2_LIMIT_SCALE",
        "AERO2_METRICS_TOKEN_FILES": "AERO2_METRICS_TOKEN_FILE",
    }
