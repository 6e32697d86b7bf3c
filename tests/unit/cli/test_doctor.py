"""`aero2 doctor` finds mistakes of the public address, mail, files and disk, and says what to do."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console
from tests.kit.certificates import certified
from tests.kit.mail_servers import free_port, mail_server, silent_server
from typer.testing import CliRunner

from aero2 import doctor, doctor_mail, doctor_target
from aero2.__main__ import app
from aero2.doctor import CHECKS, DATABASE_CHECKS, examine
from aero2.doctor_findings import Finding, Level, failure
from aero2.doctor_screen import show
from aero2.doctor_target import Target, choose_target, from_environment
from aero2.failures import CommandError


async def one(target: Target, check: str) -> Finding:
    (finding,) = await examine(target, (check,))
    return finding


@asynccontextmanager
async def site(
    answer: Any, *, tls: ssl.SSLContext | None = None, status: str = "200 OK"
) -> AsyncIterator[int]:
    """Runs a web server that answers everything with one JSON document. `{host}` in it is the Host that
    the client has sent. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
        body = json.dumps(answer).replace("{host}", host).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_public_address_that_is_right() -> None:
    async with site({"issuer": "http://{host}"}) as port:
        finding = await one(Target(f"http://localhost:{port}"), "public_url")

    assert finding.level is Level.OK, finding


async def test_a_public_address_where_nothing_answers() -> None:
    finding = await one(Target(f"http://localhost:{free_port()}"), "public_url")

    assert finding.level is Level.FAILURE
    assert "does not answer" in finding.sentence


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ({"issuer": "http://dashboard.internal:8000"}, "200 OK", "calls itself"),
        ({"title": "This host serves no application."}, "421 Misdirected", "answers 421"),
        ("hello", "200 OK", "not as the Dashboard does"),
    ],
    ids=["another name", "a host that the proxy has replaced", "another program"],
)
async def test_a_proxy_that_replaces_the_host(answer: Any, status: str, said: str) -> None:
    async with site(answer, status=status) as port:
        finding = await one(Target(f"http://localhost:{port}"), "public_url")

    assert finding.level is Level.FAILURE
    assert said in finding.sentence
    assert "Host" in finding.advice


@pytest.mark.parametrize(
    ("resolves", "level"),
    [
        ({"dashboard"}, Level.FAILURE),
        ({"aero2"}, Level.FAILURE),
        ({"aero2", "dashboard"}, Level.OK),
    ],
)
async def test_a_wildcard_that_is_missing_in_dns(
    monkeypatch: pytest.MonkeyPatch, resolves: set[str], level: Level
) -> None:
    """Names of applications do not exist yet when the records are made."""

    async def lookup(self: object, host: str, port: int) -> list[Any]:
        if host.partition(".")[0].partition("-")[0] not in resolves:
            raise socket.gaierror(-2, "Name or service not known")
        return []

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    finding = await one(Target("https://id.example.com"), "wildcard_dns")

    assert finding.level is level
    assert level is Level.OK or "*.id.example.com" in finding.advice


@pytest.mark.parametrize(
    ("name", "days", "trusted", "level", "said"),
    [
        ("dashboard.localhost", 90, True, Level.OK, "valid for"),
        ("dashboard.localhost", 5, True, Level.WARNING, "ends in"),
        ("dashboard.localhost", -0.001, True, Level.FAILURE, "expired"),
        ("other.localhost", 90, True, Level.FAILURE, "Hostname mismatch"),
        ("dashboard.localhost", 90, False, Level.FAILURE, "self-signed"),
    ],
)
async def test_a_certificate(
    tmp_path: Path, name: str, days: float, trusted: bool, level: Level, said: str
) -> None:
    """It may end soon, have ended, be for another name, or come from an unknown authority."""
    pem, tls = certified(tmp_path, name, days=days)
    async with site({}, tls=tls) as port:
        target = Target(f"https://localhost:{port}", authority=pem if trusted else None)
        finding = await one(target, "certificate")

    assert finding.level is level
    assert said in finding.sentence.replace("self signed", "self-signed")


async def test_a_mail_server_that_accepts_us() -> None:
    """It signs in, and sends nothing."""
    with mail_server() as server:
        url = f"smtp://ada:right@127.0.0.1:{server.port}?tls=none"
        finding = await one(Target(smtp_url=url), "mail")

    assert finding.level is Level.OK, finding
    assert server.passwords == ["right"]
    assert server.received == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://ada:wrong@127.0.0.1:{port}?tls=none", "refuses our user"),
        ("smtp://ada:right@127.0.0.1:{port}", "no TLS"),
        ("smtp://127.0.0.1:{free}?tls=none", "does not answer"),
        ("http://127.0.0.1", "is not valid"),
    ],
)
async def test_mail_that_cannot_be_delivered(url: str, said: str) -> None:
    with mail_server() as server:
        address = url.format(port=server.port, free=free_port())
        finding = await one(Target(smtp_url=address), "mail")

    assert finding.level is Level.FAILURE
    assert said in finding.sentence
    assert "wrong" not in finding.sentence


async def test_no_mail_server() -> None:
    """On this machine there is the mail page. Elsewhere nobody could reset a password."""
    local = await one(Target("http://localhost:8080"), "mail")
    public = await one(Target("https://id.example.com"), "mail")

    assert (local.level, public.level) == (Level.SKIPPED, Level.WARNING)


async def test_a_check_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """One server that says nothing does not keep the others from being looked at."""
    monkeypatch.setattr(doctor, "WITHIN", 0.2)
    async with silent_server() as port:
        target = Target(smtp_url=f"smtp://127.0.0.1:{port}?tls=none")
        findings = await examine(target, ("mail", "secret_files"))

    assert [(each.check, each.level) for each in findings] == [
        ("mail", Level.FAILURE),
        ("secret_files", Level.SKIPPED),
    ]


@pytest.mark.parametrize(("mode", "level"), [(0o600, Level.OK), (0o640, Level.FAILURE)])
async def test_secrets_that_others_may_read(tmp_path: Path, mode: int, level: Level) -> None:
    file = tmp_path / "secrets.json"
    file.write_text("{}")
    file.chmod(mode)
    finding = await one(Target(secret_files=(file,)), "secret_files")

    assert finding.level is level
    assert level is Level.OK or f"chmod 600 {file}" in finding.advice


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free", "level"), [(500, Level.OK), (80, Level.WARNING), (20, Level.FAILURE)]
)
async def test_a_disk_that_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 1000 - free, free))

    assert (await one(Target(folder=tmp_path), "disk")).level is level


def test_the_environment_names_a_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the services' own variables, and of the files that hold secrets."""
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "key"
    secret.write_text("x")
    target = from_environment(
        {
            "AERO2_PUBLIC_URL": "https://id.example.com/",
            "AERO2_OWNER_DATABASE_URL": "postgresql://a:hidden@b/c",
            "_".join(("AERO2", "SOME", "KEY", "FILE")): str(secret),
        }
    )

    assert (target.domain, target.is_local) == ("id.example.com", False)
    assert target.secret_files == (secret,)
    assert "hidden" not in repr(target)


def test_secrets_are_read_from_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a NATS password that is replaced, both lines count. None of them is shown."""
    monkeypatch.chdir(tmp_path)
    contents = {
        "AERO2_OWNER_DATABASE_URL": "postgresql://a:hidden@b/c\n",
        "AERO2_NATS_PASSWORD": "cli-2:hidden-new\nhidden-former\n",
        "AERO2_MASTER_KEY": "k1:hidden\n",
        "AERO2_SMTP_URL": "smtp://ada:hidden@mail\n",
    }
    env = {}
    for name, text in contents.items():
        file = tmp_path / name
        file.write_text(text)
        env[f"{name}_FILE"] = str(file)
    target = from_environment(env)

    assert target.database_url == "postgresql://a:hidden@b/c"
    assert list(target.nats_logins) == [("cli-2", "hidden-new"), ("cli", "hidden-former")]
    assert target.master_key == "k1:hidden"
    assert target.smtp_url == "smtp://ada:hidden@mail"
    assert sorted(file.name for file in target.secret_files) == sorted(contents)
    assert "hidden" not in repr(target)


def test_a_secret_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    """So is one that stands in two places."""
    missing = {"AERO2_SMTP_URL_FILE": str(tmp_path / "missing")}
    with pytest.raises(CommandError, match="AERO2_SMTP_URL_FILE"):
        from_environment(missing)
    with pytest.raises(CommandError, match="only one may be"):
        from_environment({**missing, "AERO2_SMTP_URL": "smtp://mail"})


def test_files_that_are_mounted_belong_to_the_machine_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_target, "MOUNTED", tmp_path / "mounted")
    for file in (tmp_path / "key", tmp_path / "mounted" / "key"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
        target = from_environment({"_".join(("AERO2", "SOME", "KEY", "FILE")): str(file)})
        assert target.secret_files == ((file,) if file.parent == tmp_path else ())


def test_no_deployment_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AERO2_PUBLIC_URL", "AERO2_OWNER_DATABASE_URL", "AERO2_NATS_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(CommandError, match="does not run"):
        choose_target(None, None)
    ran = CliRunner().invoke(app, ["doctor"])
    assert ran.exit_code == 1
    assert "does not run" in ran.stderr
    assert list(tmp_path.iterdir()) == []


async def test_an_unknown_check_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="There is no check weather"):
        await examine(Target(), ("weather",))


@pytest.mark.parametrize(("level", "code"), [(Level.WARNING, 0), (Level.FAILURE, 1)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_exit_code(monkeypatch: pytest.MonkeyPatch, level: Level, code: int, form: str) -> None:
    """Warnings do not fail a script that runs it before an update. Failures do."""
    evil = Finding("mail", level, "a\x1b[2Jb", "do this")

    async def found(target: Target, only: tuple[str, ...]) -> list[Finding]:
        return [evil]

    monkeypatch.setattr(doctor, "examine", found)
    monkeypatch.setenv("AERO2_PUBLIC_URL", "http://localhost:1")
    ran = CliRunner().invoke(app, ["doctor", *(["--json"] if form == "json" else [])])

    assert ran.exit_code == code
    if form == "json":
        (shown,) = json.loads(ran.stdout)
        assert shown["level"] == level
        assert shown["advice"] == "do this"
    else:
        assert "\x1b" not in ran.stdout
        assert f"1 {level}" in ran.stdout


def test_each_failure_says_what_to_do() -> None:
    output = io.StringIO()
    show(failure("disk", "It is full.", "Make room."), Console(file=output, width=100))

    assert "failure" in output.getvalue()
    assert "Make room." in output.getvalue()


def test_there_are_at_least_ten_checks() -> None:
    assert len(CHECKS | DATABASE_CHECKS) >= 10
    assert set(doctor_mail.FAULTS) == {"connect", "tls", "sign_in"}
