"""A sealed file opens for its deployment only, and only as a whole: any change of it is found."""

from __future__ import annotations

import base64
import io
import os

import pytest

from aero2.failures import CommandError
from aero2.transfers.sealed_file import FORMAT, SealedReader, SealedWriter
from aero2.transfers.transfer_key import TransferKey
from common.crypto import Keys

CHUNKS = [b"manifest", b"rows 1", b"rows 2", b"end"]


def master(id: str = "k1") -> Keys:
    return Keys.parse(f"{id}:{base64.b64encode(os.urandom(32)).decode()}")


KEYS = master()


def written(chunks: list[bytes] = CHUNKS, keys: Keys = KEYS) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, TransferKey.of(keys))
    for place, chunk in enumerate(chunks):
        writer.write(chunk, last=place == len(chunks) - 1)
    return file.getvalue()


def read(content: bytes, keys: Keys = KEYS) -> list[bytes]:
    return [chunk.plain for chunk in SealedReader(io.BytesIO(content), keys).chunks()]


def parts(content: bytes) -> tuple[bytes, list[bytes]]:
    """Returns what is before the chunks, and each chunk with its length."""
    start = content.index(b"\n", len(FORMAT)) + 1
    head, rest, chunks = content[:start], content[start:], []
    while rest:
        size = 4 + int.from_bytes(rest[:4], "big")
        chunks.append(rest[:size])
        rest = rest[size:]
    return head, chunks


def test_a_file_comes_back_chunk_by_chunk() -> None:
    """What was written is read, and the same content is another file each time."""
    assert read(written()) == CHUNKS
    assert read(written([b"only"])) == [b"only"]
    assert written() != written()


def test_every_flipped_bit_is_found() -> None:
    """In the first line, the header, a length or a chunk: no reading comes to its end."""
    content = written()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        if bytes(changed[: len(FORMAT)]) == FORMAT and changed[len(FORMAT) :].isspace():
            continue
        with pytest.raises(CommandError):
            read(bytes(changed))


def test_a_file_that_ends_early_is_found() -> None:
    """Cut at any byte, also between two chunks, and a byte too many."""
    content = written()
    for length in range(len(content)):
        with pytest.raises(CommandError):
            read(content[:length])
    with pytest.raises(CommandError):
        read(content + b"\0")


def test_chunks_cannot_change_places() -> None:
    """Swapped, repeated or left out, or taken from another file for the same deployment."""
    head, chunks = parts(written())
    _, others = parts(written())
    first, second, third, last = chunks
    for order in (
        [first, third, second, last],
        [first, second, second, third, last],
        [first, third, last],
        [first, second, third],
        [last],
        [first, others[1], third, last],
        [*chunks, last],
    ):
        with pytest.raises(CommandError):
            read(head + b"".join(order))
    assert read(head + b"".join(chunks)) == CHUNKS


def test_another_deployment_cannot_open_it() -> None:
    """With another master key, and with one of the same name. A key that was replaced still opens it, as
    long as it is configured."""
    with pytest.raises(CommandError, match="for the master key k1, and this deployment has k2"):
        read(written(), master("k2"))
    with pytest.raises(CommandError, match="another deployment"):
        read(written(), master())
    replaced = Keys((*master("k2").masters, *KEYS.masters))
    assert read(written(), replaced) == CHUNKS


def test_a_length_takes_no_memory() -> None:
    """A chunk that says it has four gigabytes is refused before it is read."""
    head, _ = parts(written())
    with pytest.raises(CommandError, match="not whole"):
        read(head + b"\xff\xff\xff\xff" + b"x" * 100)
    with pytest.raises(CommandError, match="cannot be exported"):
        SealedWriter(io.BytesIO(), TransferKey.of(KEYS)).write(b"x" * (16 * 1024 * 1024 + 1))


def test_other_files_are_named() -> None:
    """A newer format, and something else."""
    with pytest.raises(CommandError, match="newer format"):
        read(b"aero2-application-2\n{}")
    with pytest.raises(CommandError, match="no file of"):
        read(b"PGDMP")
    with pytest.raises(CommandError, match="header"):
        read(FORMAT + b"{" * 5000)


def test_a_misspelled_key_is_refused() -> None:
    """A file for it could never be opened."""
    key = str(TransferKey.of(KEYS))
    assert TransferKey.parse(f" {key}\n") == TransferKey.of(KEYS)
    for place in range(len(key)):
        wrong = key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]
        with pytest.raises(CommandError, match="no transfer key"):
            TransferKey.parse(wrong)
