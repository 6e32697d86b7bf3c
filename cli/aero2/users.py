"""`aero2 users import` and `export`: whole files of users, over the public API with a secret key."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import orjson
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from aero2.failures import Refused, told
from common.contracts.transfer import TransferredUser
from common.problems import field_errors

BATCH: Final = 250
ROOM: Final = 400_000
"""Bytes of one call; the bus carries a megabyte at most."""
JSON_COLUMNS: Final = {"address", "public_metadata", "private_metadata", "user_metadata"}
FLAGS: Final = {"email_verified", "phone_number_verified", "disabled"}
TRUE: Final = {"true", "1", "yes", "t"}
FALSE: Final = {"false", "0", "no", "f", ""}
PATIENCE: Final = 8
"""Tries of a call that finds the platform busy or away."""

app = typer.Typer(no_args_is_help=True, help="Users in bulk.")
console = Console(stderr=True)

Url = Annotated[
    str,
    typer.Option(
        envvar="AERO2_URL", help="Origin of the application, like http://demo.localhost:8080."
    ),
]
Key = Annotated[
    str,
    typer.Option(
        envvar="AERO2_SECRET_KEY", help="Its secret key, sk_live_…; better by AERO2_SECRET_KEY."
    ),
]
Format = Annotated[Literal["auto", "ndjson", "csv"], typer.Option(help="By the file's name.")]


@dataclass
class Tally:
    """How far an import has come. Kept beside the file, so that it goes on where it stopped."""

    fingerprint: str
    url: str
    done: int = 0
    created: int = 0
    exists: int = 0
    invalid: int = 0

    @property
    def sentence(self) -> str:
        return (
            f"{self.done:,} lines: {self.created:,} created, {self.exists:,} there already, "
            f"{self.invalid:,} refused"
        )


@dataclass
class Batch:
    """Lines that are well-formed, waiting to be sent."""

    lines: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, line: int, body: bytes) -> None:
        self.lines.append(line)
        self.bodies.append(body)
        self.size += len(body)

    def fits(self, body: bytes) -> bool:
        return len(self.lines) < BATCH and self.size + len(body) <= ROOM


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON or CSV.")],
    url: Url,
    key: Key,
    format: Format = "auto",
    dry_run: Annotated[bool, typer.Option(help="Check every line; keep nothing.")] = False,
    restart: Annotated[
        bool, typer.Option(help="From the first line, not where it stopped.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Make users from a file, in any of the formats of docs/users.md.

    Stopped, it goes on where it was. Lines that are refused are listed in FILE.errors.ndjson, by
    number and reason; the others are made. Exit code 2 where some were refused.
    """
    with told():
        tally = run_import(file, url, key, format, dry_run=dry_run, restart=restart, quiet=quiet)
    console.print(("Checked " if dry_run else "Imported ") + tally.sentence)
    if tally.invalid:
        console.print(f"Refused lines: {_errors_file(file)}", style="yellow")
        raise typer.Exit(2)


def run_import(
    file: Path,
    url: str,
    key: str,
    format: str = "auto",
    *,
    dry_run: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> Tally:
    """Raises Refused."""
    state = file.with_name(file.name + ".progress")
    tally = Tally(_fingerprint(file), url)
    if not restart and not dry_run and state.exists():
        tally = _resumed(state, tally)
    with ExitStack() as stack:
        api = stack.enter_context(_client(url, key))
        source = stack.enter_context(file.open("rb"))
        errors = stack.enter_context(_errors_file(file).open("ab" if tally.done else "wb"))
        bar = stack.enter_context(_progress(quiet))
        task = bar.add_task("", total=file.stat().st_size)
        batch = Batch()
        started = tally.done
        seen = 0

        def send() -> None:
            _send(api, batch, tally, errors, dry_run)
            tally.done = seen
            if not dry_run:
                _keep(state, tally)
            batch.__init__()  # type: ignore[misc]
            bar.update(task, completed=source.tell(), description=tally.sentence)

        for line, body, fault in _lines(source, _format(file, format)):
            if line <= started:
                continue
            if body is not None and not batch.fits(body):
                send()
            seen = line
            if body is None:
                tally.invalid += 1
                _refuse(errors, line, fault)
            else:
                batch.add(line, body)
        send()
    if not dry_run:
        state.unlink(missing_ok=True)
    return tally


def _lines(
    source: IO[bytes], format: str
) -> Iterator[tuple[int, bytes | None, list[dict[str, str]]]]:
    """Each record with its number, as the API takes it, or with what is wrong with it."""
    for number, record in enumerate(_records(source, format), 1):
        if isinstance(record, str):
            yield number, None, [{"field": "line", "message": record}]
            continue
        try:
            user = TransferredUser.model_validate(record)
        except ValidationError as error:
            listed = error.errors(include_url=False, include_context=False, include_input=False)
            yield number, None, field_errors(listed)
            continue
        body = user.model_dump_json(exclude_unset=True).encode()
        if len(body) > ROOM:
            yield number, None, [{"field": "line", "message": "it is too large"}]
        else:
            yield number, body, []


def _records(source: IO[bytes], format: str) -> Iterator[dict[str, Any] | str]:
    """Each record, or what is wrong with it in words. Empty lines count for nothing."""
    if format == "csv":
        text = (
            line.decode("utf-8-sig" if first else "utf-8", "replace")
            for first, line in _first(source)
        )
        for row in csv.DictReader(text):
            yield _from_csv(row)
        return
    for line in source:
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield "not JSON"
            continue
        yield record if isinstance(record, dict) else "not an object"


def _first(source: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    for number, line in enumerate(source):
        yield number == 0, line


def _from_csv(row: dict[str | None, Any]) -> dict[str, Any] | str:
    """Empty cells are absent; flags are words; addresses and metadata are JSON."""
    found: dict[str, Any] = {}
    if None in row:
        return "more cells than columns"
    for name, cell in row.items():
        if name is None or cell is None or cell == "":
            continue
        name = name.strip()
        if name in FLAGS:
            word = cell.strip().lower()
            if word not in TRUE | FALSE:
                return f"{name} is neither true nor false"
            found[name] = word in TRUE
        elif name in JSON_COLUMNS:
            try:
                found[name] = orjson.loads(cell)
            except orjson.JSONDecodeError:
                return f"{name} is not JSON"
        else:
            found[name] = cell
    return found


def _send(api: httpx.Client, batch: Batch, tally: Tally, errors: IO[bytes], dry_run: bool) -> None:
    if not batch.lines:
        return
    flag = b"true" if dry_run else b"false"
    body = b'{"dry_run":' + flag + b',"users":[' + b",".join(batch.bodies) + b"]}"
    answer = _call(api, "POST", "/api/users/import", content=body)
    for line, arrival in zip(batch.lines, answer["arrivals"], strict=True):
        status = arrival["status"]
        setattr(tally, status, getattr(tally, status) + 1)
        if status == "invalid":
            _refuse(errors, line, arrival["errors"])
    errors.flush()


def _call(api: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """The answer. Waits where the platform is busy or starting. Raises Refused."""
    for attempt in range(PATIENCE):
        try:
            answer = api.request(method, path, **more)
        except httpx.TransportError as error:
            if attempt == PATIENCE - 1:
                raise Refused(f"{api.base_url} cannot be reached: {error}.") from None
            time.sleep(min(2**attempt * 0.2, 5))
            continue
        if answer.status_code in (429, 502, 503, 504) and attempt < PATIENCE - 1:
            wait = answer.headers.get("retry-after", "1")
            time.sleep(min(float(wait) if wait.isdigit() else 1.0, 30))
            continue
        if answer.is_success:
            return answer.json()
        raise Refused(_reason(answer))
    raise AssertionError("unreachable")


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"Aero2 answered {answer.status_code}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"That is no Aero2, or something before it answered {answer.status_code}."


@app.command("export")
def export(
    url: Url,
    key: Key,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; else standard output.")
    ] = None,
    format: Format = "auto",
    password_hashes: Annotated[
        bool, typer.Option(help="With the hashes: keep the file safe.")
    ] = False,
) -> None:
    """Write every user of the application, as an import takes them."""
    with told(), ExitStack() as stack:
        api = stack.enter_context(_client(url, key))
        if out is None:
            sink: IO[str] = typer.get_text_stream("stdout")
        else:
            number = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            sink = stack.enter_context(os.fdopen(number, "w", encoding="utf-8", newline=""))
        kind = _format(out, format) if out else format.replace("auto", "ndjson")
        count = write_users(sink, kind, _exported(api, password_hashes))
    console.print(f"{count:,} users exported")


def _exported(api: httpx.Client, hashes: bool) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        asked = {"limit": "100", "password_hashes": str(hashes).lower()}
        if cursor:
            asked["cursor"] = cursor
        page = _call(api, "GET", "/api/users/export", params=asked)
        yield from page["users"]
        cursor = page.get("next")
        if cursor is None:
            return


def write_users(sink: IO[str], format: str, users: Iterator[dict[str, Any]]) -> int:
    """How many were written."""
    count = 0
    table = None
    if format == "csv":
        columns = [name for name in TransferredUser.model_fields if name != "password"]
        table = csv.DictWriter(sink, columns)
        table.writeheader()
    for user in users:
        count += 1
        if table is None:
            sink.write(json.dumps(user, ensure_ascii=False) + "\n")
        else:
            table.writerow({name: _cell(value) for name, value in user.items()})
    return count


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def _client(url: str, key: str) -> httpx.Client:
    """`<slug>.localhost` is this machine, whether or not the resolver knows it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("--url is the application's origin, like http://demo.localhost:8080.")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    host = parts.hostname
    if host.endswith(".localhost") and parts.scheme == "http":
        headers["Host"] = parts.netloc
        host = "127.0.0.1"
    port = f":{parts.port}" if parts.port else ""
    return httpx.Client(
        base_url=f"{parts.scheme}://{host}{port}", headers=headers, timeout=60, trust_env=False
    )


def _format(file: Path, format: str) -> str:
    if format != "auto":
        return format
    return "csv" if file.suffix.lower() == ".csv" else "ndjson"


def _fingerprint(file: Path) -> str:
    """Of the file's size and beginning: enough to know it again."""
    with file.open("rb") as source:
        start = source.read(1 << 20)
    return f"{file.stat().st_size}:{hashlib.sha256(start).hexdigest()}"


def _resumed(state: Path, fresh: Tally) -> Tally:
    try:
        found = Tally(**json.loads(state.read_text()))
    except (ValueError, TypeError):
        return fresh
    if found.fingerprint != fresh.fingerprint or found.url != fresh.url:
        raise Refused(f"{state} belongs to another import: finish that one, or use --restart.")
    return found


def _keep(state: Path, tally: Tally) -> None:
    """Whole or not at all."""
    draft = state.with_name(state.name + ".new")
    draft.write_text(json.dumps(asdict(tally)))
    draft.replace(state)


def _errors_file(file: Path) -> Path:
    return file.with_name(file.name + ".errors.ndjson")


def _refuse(errors: IO[bytes], line: int, faults: list[dict[str, str]]) -> None:
    """By number and reason; never what the line said."""
    errors.write(orjson.dumps({"line": line, "errors": faults}) + b"\n")


def _progress(quiet: bool) -> Progress:
    return Progress(
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )
