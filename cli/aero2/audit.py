"""`aero2 audit`: check an exported log without the platform, and the catalogue of events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from aero2.command_groups import new_group
from aero2.failures import CommandError, report_failures
from common.audit_chain import Checkpoint, Verifier

app = new_group("The audit log: verify an export, list the events.")


@app.command()
def verify(
    export: Annotated[Path, typer.Argument(help="The log as NDJSON, from /api/audit/export.")],
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Signed heads, as /api/audit/checkpoints gave them (JSON, any pages)."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="A public key you trust, as <id>:<base64url>. Once per key."),
    ] = None,
) -> None:
    """Say what was changed, removed or reordered since the log was written. Needs no server.

    Exit code 0 where nothing was found, 1 otherwise.
    """
    with report_failures():
        heads, offered = _checkpoints(checkpoints)
        trusted = dict(_key(each) for each in key or [])
        verifier = Verifier(trusted or offered, heads)
        for event in _lines(export):
            verifier.take(event)
        verifier.end()
    for fault in verifier.faults:
        typer.secho(fault, fg="red", err=True)
    for line in _told(verifier, trusted, offered):
        typer.echo(line)
    raise typer.Exit(1 if verifier.faults else 0)


def _told(verifier: Verifier, trusted: dict[str, str], offered: dict[str, str]) -> Iterator[str]:
    if verifier.faults:
        yield f"NOT intact: {len(verifier.faults)} faults in {verifier.events} events."
        return
    yield f"Intact: {verifier.events} events, {verifier.first or 0} to {verifier.last}."
    if verifier.first is not None and verifier.first > 1:
        yield f"Events before {verifier.first} are not in the file, as when retention took them."
    if verifier.sealed:
        yield f"Signed up to event {verifier.sealed}."
    loose = verifier.last - verifier.sealed
    if loose > 0:
        yield f"The last {loose} events are chained but not signed: later checkpoints cover them."
    if verifier.sealed and not trusted and offered:
        yield (
            "The keys came with the checkpoints: pass --key with one you got another way, or a "
            "forger could have signed."
        )


def _key(text: str) -> tuple[str, str]:
    kid, colon, key = text.partition(":")
    if not colon or not kid or not key:
        raise CommandError(f"{text!r} is not of the form <id>:<base64url>.")
    return kid, key


def _checkpoints(file: Path | None) -> tuple[list[Checkpoint], dict[str, str]]:
    """Every page in the file: one JSON document after the other, or one a line."""
    if file is None:
        return [], {}
    checkpoints: list[Checkpoint] = []
    keys: dict[str, str] = {}
    decoder = json.JSONDecoder()
    text = _text(file).strip()
    try:
        while text:
            page, end = decoder.raw_decode(text)
            keys |= page["keys"]
            checkpoints += [Checkpoint(**head) for head in page["checkpoints"]]
            text = text[end:].strip()
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{file} holds no checkpoints.") from None
    return checkpoints, keys


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    event = json.loads(line)
                except ValueError:
                    raise CommandError(f"{file}, line {number}: not JSON.") from None
                yield event if isinstance(event, dict) else {}
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from None


@app.command()
def events(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write; else to the terminal.")
    ] = None,
) -> None:
    """The catalogue of every event as Markdown: docs/events.md is made by this."""
    from aero2.event_catalogue import catalogue

    if file is None:
        typer.echo(catalogue(), nl=False)
    else:
        file.write_text(catalogue(), encoding="utf-8")
