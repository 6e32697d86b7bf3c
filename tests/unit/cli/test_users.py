"""`aero2 users import` and `export` against a server that answers like the API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aero2.__main__ import app
from aero2.failures import CommandError
from aero2.user_import import run_import


@dataclass
class Api:
    """Users by address. `fail` holds what the next calls answer instead."""

    url: str = ""
    users: dict[str, dict[str, object]] = field(default_factory=dict)
    fail: list[int] = field(default_factory=list)
    calls: int = 0
    dies_after: int | None = None


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.calls += 1
            if found.dies_after is not None and found.calls > found.dies_after:
                self._answer(401, {"detail": "the key was revoked"})
                return
            if found.fail:
                self._answer(found.fail.pop(0), {"detail": "busy"})
                return
            arrivals: list[dict[str, str | None]] = []
            for user in body["users"]:
                if user["email"] in found.users:
                    arrivals.append({"status": "exists"})
                else:
                    arrivals.append({"status": "created", "user_id": None})
                    if not body["dry_run"]:
                        found.users[user["email"]] = user
            self._answer(200, {"arrivals": arrivals})

        def do_GET(self) -> None:
            self._answer(200, {"users": list(found.users.values()), "next": None})

        def _answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            if status == 503:
                self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://demo.localhost:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def _ndjson(tmp_path: Path, count: int) -> Path:
    file = tmp_path / "users.ndjson"
    file.write_text("".join(f'{{"email": "u{n}@example.com"}}\n' for n in range(count)))
    return file


def test_import_goes_on_where_it_stopped(api: Api, tmp_path: Path) -> None:
    """An import that is cut off goes on with the next line; what was sent is not sent again."""
    file = _ndjson(tmp_path, 1000)
    api.dies_after = 2
    with pytest.raises(CommandError, match="revoked"):
        run_import(file, api.url, "sk", quiet=True)
    stopped = json.loads((tmp_path / "users.ndjson.progress").read_text())
    api.dies_after = None
    tally = run_import(file, api.url, "sk", quiet=True)

    assert stopped["done"] == 500
    assert (tally.done, tally.created, tally.exists) == (1000, 1000, 0)
    assert len(api.users) == 1000
    assert not (tmp_path / "users.ndjson.progress").exists()


def test_busy_is_waited_for(api: Api, tmp_path: Path) -> None:
    """503 and 429 are tried again."""
    api.fail = [503, 503]

    assert run_import(_ndjson(tmp_path, 3), api.url, "sk", quiet=True).created == 3


def test_each_refused_line_is_told_by_number(api: Api, tmp_path: Path) -> None:
    """Good lines are made, bad ones listed with number and reason, never with their text; the
    command ends with 2."""
    file = tmp_path / "users.ndjson"
    file.write_text(
        '{"email": "a@example.com"}\n\nnot json\n[1]\n{"email": "hush"}\n'
        '{"email": "b@example.com", "website": "javascript:x"}\n{"email": "c@example.com"}\n'
        '{"email": "d@example.com", "nickname": "D", "shoe_size": "hush"}\n'
    )
    done = CliRunner().invoke(app, ["users", "import", str(file), "--url", api.url, "--key", "k"])
    errors = [
        json.loads(line)
        for line in (tmp_path / "users.ndjson.errors.ndjson").read_text().splitlines()
    ]

    assert done.exit_code == 2
    assert sorted(api.users) == ["a@example.com", "c@example.com"]
    assert [(error["line"], error["errors"][0]["field"]) for error in errors] == [
        (2, "line"), (3, "line"), (4, "email"), (5, "website"), (7, "shoe_size")
    ]  # fmt: skip
    assert "hush" not in (tmp_path / "users.ndjson.errors.ndjson").read_text()


def test_dry_run(api: Api, tmp_path: Path) -> None:
    """A dry run sends everything and keeps nothing, not even how far it came."""
    tally = run_import(_ndjson(tmp_path, 300), api.url, "sk", dry_run=True, quiet=True)

    assert tally.created == 300
    assert api.users == {}
    assert not (tmp_path / "users.ndjson.progress").exists()


def test_csv(api: Api, tmp_path: Path) -> None:
    """CSV: columns by name, empty cells absent, flags as words, metadata as JSON, newlines in
    quotes, a byte order mark."""
    file = tmp_path / "users.csv"
    file.write_text(
        "\ufeffemail,email_verified,name,public_metadata\r\n"
        'a@example.com,TRUE,"Ada, L.","{""plan"": 1}"\r\n'
        "b@example.com,,,\r\n"
        "c@example.com,perhaps,,\r\n"
        "d@example.com,no,x,{,y\r\n",
        newline="",
    )
    tally = run_import(file, api.url, "sk", quiet=True)

    assert (tally.created, tally.invalid) == (2, 2)
    assert api.users["a@example.com"] == {
        "email": "a@example.com",
        "email_verified": True,
        "name": "Ada, L.",
        "public_metadata": {"plan": 1},
    }
    assert api.users["b@example.com"] == {"email": "b@example.com"}


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_export_can_be_imported(api: Api, tmp_path: Path, kind: str) -> None:
    """What export writes, import reads; nobody else may read the file."""
    run_import(_ndjson(tmp_path, 5), api.url, "sk", quiet=True)
    before = dict(api.users)
    out = tmp_path / f"out.{kind}"
    done = CliRunner().invoke(
        app, ["users", "export", "--url", api.url, "--key", "k", "-o", str(out)]
    )
    api.users.clear()
    run_import(out, api.url, "sk", quiet=True)

    assert done.exit_code == 0, done.output
    assert api.users == before
    assert out.stat().st_mode & 0o077 == 0


def test_another_files_progress_is_not_taken_over(api: Api, tmp_path: Path) -> None:
    """A file that has changed since is not gone on with."""
    file = _ndjson(tmp_path, 600)
    api.dies_after = 1
    with pytest.raises(CommandError):
        run_import(file, api.url, "sk", quiet=True)
    file.write_text('{"email": "x@example.com"}\n')

    with pytest.raises(CommandError, match="another import"):
        run_import(file, api.url, "sk", quiet=True)


def test_wrong_address_is_a_sentence(tmp_path: Path) -> None:
    """No traceback where nobody answers."""
    with pytest.raises(CommandError, match="--url"):
        run_import(_ndjson(tmp_path, 1), "demo", "sk", quiet=True)


@pytest.mark.parametrize(
    ("name", "start", "bad"),
    [
        ("users.csv", b"email,name\n", b"zoe@example.com,Zo\xeb\n"),
        ("users.ndjson", b"", b'{"email": "zoe@example.com", "name": "Zo\xeb"}\n'),
    ],
)
def test_another_encoding_is_refused(
    api: Api, tmp_path: Path, name: str, start: bytes, bad: bytes
) -> None:
    """A line that is not UTF-8 is refused by number; its neighbours are made, none is changed."""
    good = b"ada@example.com,Ada\n" if start else b'{"email": "ada@example.com", "name": "Ada"}\n'
    file = tmp_path / name
    file.write_bytes(start + bad + good)
    tally = run_import(file, api.url, "sk", quiet=True)
    (error,) = (tmp_path / f"{name}.errors.ndjson").read_text().splitlines()

    assert (tally.created, tally.invalid) == (1, 1)
    assert list(api.users) == ["ada@example.com"]
    assert json.loads(error)["line"] == 1
    assert "UTF-8" in error


def test_a_line_that_cannot_be_kept_exactly_is_refused(api: Api, tmp_path: Path) -> None:
    """Names that stand twice and numbers that would be rounded refuse their line."""
    file = tmp_path / "users.ndjson"
    file.write_text(
        '{"email": "a@example.com", "email": "b@example.com"}\n'
        '{"email": "c@example.com", "user_metadata": {"n": 0.12345678901234567890123}}\n'
        '{"email": "d@example.com", "user_metadata": {"n": 123456789012345678901234567890}}\n'
        '{"email": "e@example.com", "user_metadata": {"n": 0.1}}\n'
    )
    tally = run_import(file, api.url, "sk", quiet=True)

    assert (tally.created, tally.invalid) == (1, 3)
    assert list(api.users) == ["e@example.com"]


def test_a_column_that_stands_twice_is_refused(api: Api, tmp_path: Path) -> None:
    """Which of the two was meant cannot be known."""
    file = tmp_path / "users.csv"
    file.write_text("email,name,name\na@example.com,A,B\n")

    assert run_import(file, api.url, "sk", quiet=True).invalid == 1
