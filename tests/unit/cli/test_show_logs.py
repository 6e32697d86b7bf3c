"""`aero2 logs`: lines of all processes in the order of time, of one process, of one trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.failures import CommandError
from aero2.log_files import LineParser, LogFollower
from aero2.show_logs import Options, show_logs

TRACE = "4ba94d6b8eaf052ccf1809c98d6b2053"
GATEWAY = (
    '{"event":"http","path":"/a","trace":"TRACE","level":"info",'
    '"service":"gateway","at":"2026-11-29T14:40:54.300000Z"}\n'
).replace("TRACE", TRACE)
IDENTITY = (
    '{"event":"served","contract":"identity.user.create","trace":"TRACE",'
    '"level":"info","service":"identity","at":"2026-11-29T14:40:54.200000Z"}\n'
    '{"event":"served","contract":"identity.queue.get","level":"info","service":"identity",'
    '"at":"2026-11-29T14:40:54.400000Z"}\n'
).replace("TRACE", TRACE)
POSTGRES = (
    "2026-11-29 14:40:54.250 UTC [28665] @ LOG:  duration: 1256.242 ms  statement: SELECT\n"
    "\tFROM users\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "gateway.log").write_text(GATEWAY)
    (logs / "identity.log").write_text(IDENTITY)
    (logs / "postgres.log").write_text(POSTGRES)
    return tmp_path


def shown(options: Options) -> list[str]:
    lines: list[str] = []
    show_logs(options, lines.append)
    return lines


def test_lines_of_all_processes_are_in_the_order_of_time(folder: Path) -> None:
    """A line without a time stays behind the line before it."""
    lines = shown(Options(folder))

    assert [line.split()[:2] for line in lines] == [
        ["14:40:54.200", "identity"],
        ["14:40:54.250", "postgres"],
        ["14:40:54.250", "postgres"],
        ["14:40:54.300", "gateway"],
        ["14:40:54.400", "identity"],
    ]
    assert "FROM users" in lines[2]
    assert lines[4].endswith("info    served contract=identity.queue.get")


@pytest.mark.parametrize("spelling", [TRACE, TRACE.upper(), f"00-{TRACE}-a6b2aa8bcecfe8fb-01"])
def test_a_trace_is_shown_across_processes(folder: Path, spelling: str) -> None:
    """By the reference on an error page, or by the whole traceparent."""
    lines = [
        json.loads(line) for line in shown(Options(folder, trace=spelling, lines=1, json=True))
    ]

    assert [line["service"] for line in lines] == ["identity", "gateway"]


def test_a_trace_that_a_client_sent_leads_to_the_request(folder: Path) -> None:
    """A request has a trace of its own. Its line names the one of its caller as a link."""
    (folder / "logs" / "gateway.log").write_text(
        GATEWAY.replace("{", '{"link":"' + "1" * 32 + '",')
    )
    lines = [
        json.loads(line) for line in shown(Options(folder, trace="1" * 32, lines=1, json=True))
    ]

    assert [line["service"] for line in lines] == ["identity", "gateway"]


def test_text_that_is_no_trace_is_refused(folder: Path) -> None:
    """Instead of showing nothing."""
    with pytest.raises(CommandError, match="32 hex digits"):
        shown(Options(folder, trace="sign-in"))


@pytest.mark.parametrize("processes", [["together"], ["together-0", "together-1"]])
def test_a_service_of_a_process_with_several_is_shown_by_its_name(
    tmp_path: Path, processes: list[str]
) -> None:
    """Each line of such a process names its service; `aero2 logs together` shows all of them."""
    (tmp_path / "logs").mkdir()
    for process, lines in zip(
        processes, (GATEWAY + IDENTITY + "Traceback\n", GATEWAY), strict=False
    ):
        (tmp_path / "logs" / f"{process}.log").write_text(lines)
    gateway = shown(Options(tmp_path, service="gateway"))

    assert [line.split()[1] for line in gateway] == ["gateway"] * len(processes)
    assert len(shown(Options(tmp_path, service="identity"))) == 2
    assert shown(Options(tmp_path, service="rbac")) == []
    assert len(shown(Options(tmp_path, service=processes[0]))) == 4
    with pytest.raises(CommandError, match="There is no log of postgres"):
        shown(Options(tmp_path, service="postgres"))


def test_both_logs_of_a_service_that_ran_in_both_shapes_are_shown(folder: Path) -> None:
    """A folder that was run with and without --together has both."""
    (folder / "logs" / "together.log").write_text(GATEWAY + IDENTITY)

    assert len(shown(Options(folder, service="gateway"))) == 2
    assert len(shown(Options(folder, service="postgres"))) == 2


def test_the_last_lines_of_one_process(folder: Path) -> None:
    """The older part, which was moved aside, is read first."""
    (folder / "logs" / "identity.log.1").write_text(IDENTITY.replace("14:40", "14:39"))
    lines = shown(Options(folder, service="identity", lines=3))

    assert [line.split()[0] for line in lines] == ["14:39:54.400", "14:40:54.200", "14:40:54.400"]


def test_json_lines_have_service_and_time(folder: Path) -> None:
    """Those of PostgreSQL, too."""
    lines = [json.loads(line) for line in shown(Options(folder, service="postgres", json=True))]

    assert [line["at"] for line in lines] == ["2026-11-29T14:40:54.250000Z"] * 2
    assert lines[0]["service"] == "postgres"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [([], "There are no logs"), (["mailer"], "There is no log of mailer")],
)
def test_no_logs_are_a_sentence(
    tmp_path: Path, folder: Path, arguments: list[str], sentence: str
) -> None:
    """Exit code 1, and what there is."""
    place = folder if arguments else tmp_path / "empty"
    result = CliRunner().invoke(app, ["logs", *arguments, "--data-dir", str(place)])

    assert result.exit_code == 1
    assert sentence in result.stderr


def test_new_lines_are_followed(folder: Path) -> None:
    """Whole lines only; a log that was emptied is read from its beginning."""
    log = folder / "logs" / "gateway.log"
    follower = LogFollower(folder / "logs", "gateway")
    assert list(follower.new_lines()) == []

    with log.open("a") as file:
        file.write('{"event":"one"}\n{"event":')
    first = [line.fields["event"] for line in follower.new_lines()]
    with log.open("a") as file:
        file.write('"two"}\n')
    second = [line.fields["event"] for line in follower.new_lines()]
    log.write_text('{"event":"three"}\n')
    third = [line.fields["event"] for line in follower.new_lines()]

    assert [first, second, third] == [["one"], ["two"], ["three"]]


def test_times_of_nats_and_caddy_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """NATS writes local time, Caddy seconds."""
    monkeypatch.setenv("TZ", "UTC")
    nats = LineParser("nats").parse(b"[28695] 2026/11/29 14:40:27.525491 [INF] Starting\n")
    caddy = LineParser("proxy").parse(b'{"level":"warn","ts":1764427227.5,"msg":"x"}\n')

    assert nats is not None
    assert nats.at.endswith(":27.525491Z")
    assert caddy is not None
    assert caddy.at == "2025-11-29T14:40:27.500000Z"
