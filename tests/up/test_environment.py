"""`aero2 up` uses every variable of the operator, or says that it has no effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aero2.embedded.folder import Folder
from aero2.embedded.ports import Ports
from aero2.embedded.secrets import Secrets
from aero2.environment import OF_CALLOUT, UNUSED, unused_variables
from aero2.failures import CommandError
from aero2.nats_access import SERVICES
from aero2.platform import Platform
from aero2.reference.environment import variables
from common.shared_settings import OF_PROCESS, misplaced, prefix_of

NUMBERS = {
    name: number
    for number, name in enumerate(("postgres", "nats", "gateway", "smtp", "mail", "metrics"), 4000)
}

ONE_READER: dict[str, list[str]] = {
    "AERO2_METRICS_PORT": ["gateway"],
    "AERO2_BOOTSTRAP_KEYS_FILE": ["tenancy"],
    "AERO2_OWNER_DATABASE_URL": [],
}
"""Variables that one process reads, or none."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.at(tmp_path / "data")


def environments(folder: Folder, **more: Any) -> dict[str, dict[str, str]]:
    """Returns the environment of each service by its name."""
    import socket

    with socket.socket() as smtp, socket.socket() as mail, socket.socket() as gateway:
        held = Ports(NUMBERS, {"smtp": smtp, "mail": mail, "gateway": gateway})
        platform = Platform(
            folder, Secrets.load(folder), held, 8080, "127.0.0.1", "id.example.com", **more
        )
        return {program.name: program.env for program in platform.services()}


def test_mail_goes_through_the_given_server(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AERO2_SMTP_URL and AERO2_MAIL_FROM reach identity, and no mail catcher runs."""
    monkeypatch.setenv("AERO2_SMTP_URL", "smtp://u:p@smtp.example.com")
    monkeypatch.setenv("AERO2_MAIL_FROM", "Id <id@example.com>")
    given = environments(folder)

    assert given["identity"]["AERO2_SMTP_URL"] == "smtp://u:p@smtp.example.com"
    assert given["identity"]["AERO2_MAIL_FROM"] == "Id <id@example.com>"
    assert "mail" not in given


def test_mail_is_caught_where_no_server_is_given(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a server the mail catcher gets every mail."""
    monkeypatch.delenv("AERO2_SMTP_URL", raising=False)
    monkeypatch.delenv("AERO2_MAIL_FROM", raising=False)
    given = environments(folder)

    assert given["identity"]["AERO2_SMTP_URL"] == f"smtp://127.0.0.1:{NUMBERS['smtp']}?tls=none"
    assert given["identity"]["AERO2_MAIL_FROM"] == "Aero2 <no-reply@id.example.com>"
    assert "mail" in given


def documented() -> list[str]:
    """Returns the variables that docs/reference/environment.md lists for services, and one of the
    CLI."""
    return [*variables(), "AERO2_OWNER_DATABASE_URL"]


@pytest.mark.parametrize("name", documented())
def test_each_documented_variable_is_used_or_named(
    name: str, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable reaches a service with its value, or the start says that it has no effect."""
    value = "smtp://given.example.com" if name == "AERO2_SMTP_URL" else "192.0.2.1"
    monkeypatch.setenv(name, value)

    given = environments(folder, tls=True)
    readers = ["callout"] if name.startswith(OF_CALLOUT) else ONE_READER.get(name, SERVICES)
    used = bool(readers) and all(value in given[service].get(name, "") for service in readers)

    assert used != bool(unused_variables())
    assert bool(unused_variables()) == (name in UNUSED)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "behind-the-proxy"])
def test_the_gateway_inherits_its_port(folder: Folder, tls: bool) -> None:
    """Only the gateway gets the open socket, so that its restart refuses no connection."""
    import socket

    with (
        socket.socket() as public,
        socket.socket() as inner,
        socket.socket() as mail,
        socket.socket() as metrics,
    ):
        sockets = {"smtp": mail, "mail": mail, "gateway": inner, "metrics": metrics}
        held = Ports(NUMBERS, sockets)
        platform = Platform(
            folder, Secrets.load(folder), held, 8080, "127.0.0.1", "localhost", tls, public
        )
        programs = {program.name: program for program in platform.services()}

        expected = inner if tls else public
        assert programs["gateway"].sockets == (expected, metrics)
        assert programs["gateway"].env["AERO2_METRICS_LISTEN_FD"] == str(metrics.fileno())
        assert programs["gateway"].env["AERO2_LISTEN_FD"] == str(expected.fileno())
        assert "AERO2_LISTEN_FD" not in programs["oidc"].env


def test_services_of_one_process_keep_their_own_users(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together, each service has its own database role and NATS user in variables of its name; nothing
    of the operator's environment gives all of them one."""
    for variable in ("AERO2_DATABASE_URL", "AERO2_NATS_USER", "AERO2_NATS_PASSWORD"):
        monkeypatch.setenv(variable, "everybody")
    given = environments(folder, together=True)
    env, secrets = given["together"], Secrets.load(folder)

    assert set(given) == {"together", "mail"}
    assert list(misplaced(SERVICES, env)) == []
    for service in SERVICES:
        assert env[f"AERO2_{service.upper()}_NATS_USER"] == service
        login = Path(env[f"AERO2_{service.upper()}_NATS_PASSWORD_FILE"])
        assert login.read_text() == f"{service}:{secrets.nats[service]}\n"
        role = f"postgresql://aero2_{service}@"
        url = env.get(f"AERO2_{service.upper()}_DATABASE_URL", "")
        assert url.startswith(role) == (service != "gateway")
        file = env.get(f"AERO2_{service.upper()}_DATABASE_PASSWORD_FILE")
        if service != "gateway":
            assert file is not None
            assert Path(file).read_text() == f"{secrets.database[service]}\n"
            assert Path(file).stat().st_mode & 0o777 == 0o600


def test_a_variable_has_one_meaning() -> None:
    """No variable of one service alone (`AERO2_OIDC_…`) is also a variable of all services."""
    of_all = variables()
    fields = [name.removeprefix("AERO2_") for name in of_all]

    assert [
        f"{prefix_of(service)}{field}"
        for service in SERVICES
        for field in fields
        if f"{prefix_of(service)}{field}" in of_all
    ] == []


def test_workers_share_the_ports_and_nothing_else(folder: Folder) -> None:
    """Each worker has its own name, heartbeat and place among the metrics."""
    given = environments(folder, together=True, workers=2)
    first, second = given["together-0"], given["together-1"]
    different = {name for name in first.keys() | second if first.get(name) != second.get(name)}

    assert different == {"AERO2_HEARTBEAT", "AERO2_REPLICA"}


def test_every_service_is_told_the_same_together_and_alone(folder: Folder) -> None:
    """The variables of a process that runs all services give each service what it has alone."""
    alone = environments(folder)
    together = environments(folder, together=True)["together"]
    of_process = {f"AERO2_{name.upper()}" for name in OF_PROCESS}
    for service in SERVICES:
        for variable, value in alone[service].items():
            own = variable.replace("AERO2_", prefix_of(service), 1)
            if variable not in of_process and "LISTEN_FD" not in variable:
                assert together.get(own, together.get(variable)) == value, (service, variable)


def test_lost_secrets_are_not_made_again(folder: Folder) -> None:
    """If a database exists, new secrets would not open it. The start fails and writes no file."""
    (folder.root / "postgres").mkdir()

    with pytest.raises(CommandError, match="Restore that file from your backup"):
        Secrets.load(folder)

    assert not (folder.root / "secrets.json").exists()
