"""Sealed tokens open only as they were made: for one purpose and one application, under its key."""

from __future__ import annotations

import string
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from tests.kit.data_keys import DataKeys
from tests.kit.world import KEYS, MASTER_KEY

from common import sealed_tokens, sealing
from common.crypto import Keys
from common.ids import new_id
from common.sealed_tokens import Opened
from common.sealing import Sealer, data_key_place, unwrap, wrap

APP, OTHER_APP = new_id(), new_id()
NEW_KEY = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ROTATED, RETIRED = Keys.parse(f"{NEW_KEY},{MASTER_KEY}"), Keys.parse(NEW_KEY)
ID = new_id()


class Process:
    """A process with a sealer of its own, on a database that others may share."""

    def __init__(self, data: DataKeys | None = None, keys: Keys = KEYS) -> None:
        self.data, self.sealer = data or DataKeys(), Sealer(keys)

    async def seal(self, plain: bytes = b"content", *, app_id: str = APP, id: str = ID) -> str:
        return await sealed_tokens.seal(
            self.sealer, self.data.db, purpose="test", app_id=app_id, id=id, plain=plain
        )

    async def open(self, text: str, **other: Any) -> Opened | None:
        options: dict[str, Any] = {"purpose": "test", "app_id": APP, "max_length": 2000} | other
        return await sealed_tokens.open_sealed(self.sealer, self.data.reader, text=text, **options)


@pytest.mark.parametrize("plain", [b"content", b"", bytes(range(256))])
async def test_a_token_opens(plain: bytes) -> None:
    """It has its id and content. Another process opens it, too. An empty content is one."""
    process = Process()
    text = await process.seal(plain)
    assert await process.open(text) == Opened(ID, plain)
    assert await Process(process.data).open(text) == Opened(ID, plain)


async def test_another_application_or_purpose_does_not_open_it() -> None:
    """Even if it had the same data key."""
    process = Process()
    text = await process.seal()
    await process.seal(app_id=OTHER_APP)
    assert await process.open(text, app_id=OTHER_APP) is None
    assert await process.open(text, purpose="another") is None
    (row,) = process.data.rows[APP]
    key = unwrap(KEYS, data_key_place(APP, row["id"]), row["wrapped"])
    moved = wrap(KEYS, data_key_place(OTHER_APP, row["id"]), key)
    process.data.rows[OTHER_APP] = [{"id": row["id"], "wrapped": moved}]
    assert await Process(process.data).open(text, app_id=OTHER_APP) is None


async def test_each_token_has_a_key_of_its_own() -> None:
    """Two ids with the same content have nothing in common but the name of the data key."""
    process = Process()
    one, two = [await process.seal(bytes(64), id=id) for id in (ID, new_id())]
    assert one[:20] == two[:20]
    assert one[-60:] != two[-60:]


async def test_a_changed_token_does_not_open() -> None:
    """Whichever character is changed, left out or added, and to what."""
    process = Process()
    text = await process.seal()
    alphabet = string.ascii_letters + string.digits + "-_.+/= é\0\ud800"
    for place in range(len(text)):
        for character in alphabet:
            if character != text[place]:
                assert await process.open(text[:place] + character + text[place + 1 :]) is None
        assert await process.open(text[:place] + text[place + 1 :]) is None
        assert await process.open(text[:place]) is None
    for more in ("A", "=", " ", "\n", ".", "é"):
        assert await process.open(text + more) is None
        assert await process.open(more + text) is None


async def test_long_text_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte costs the comparison of its length."""
    monkeypatch.setattr(sealed_tokens, "unb64", lambda _: pytest.fail("decoded"))
    assert await Process().open("A" * 1_000_000) is None


async def test_guesses_read_the_keys_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many data keys strangers name, an application's keys are read once in half a minute,
    and nothing is decrypted. A key that is new to this process is found after that."""
    clock = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    process = Process()
    text = await process.seal()
    process.data.reads = 0
    monkeypatch.setattr(sealed_tokens, "_cipher", lambda *_: pytest.fail("decrypted"))
    for number in range(500):
        guess = urlsafe_b64encode(number.to_bytes(48)).decode()
        assert await process.open(guess) is None
    assert process.data.reads == 0
    clock += sealing.RELOAD + 1
    for number in range(500):
        guess = urlsafe_b64encode(number.to_bytes(48)).decode()
        assert await process.open(guess) is None
    assert process.data.reads == 2  # one reading: the newest key, and all
    monkeypatch.undo()
    assert await process.open(text)


async def test_a_data_key_is_replaced() -> None:
    """A token of the former key opens beside those of the new one, in every process."""
    process = Process()
    old = await process.seal()
    id = new_id()
    place = data_key_place(APP, id)
    process.data.rows[APP].append({"id": id, "wrapped": wrap(KEYS, place, bytes(range(32)))})
    later = Process(process.data)
    new = await later.seal()

    assert old[:20] != new[:20]
    for text in (old, new):
        assert await later.open(text) == Opened(ID, b"content")


async def test_the_master_key_is_replaced() -> None:
    """Tokens outlive the master key, as the data keys do: before and after those are wrapped again."""
    process = Process()
    text = await process.seal()
    rotated = Process(process.data, ROTATED)
    assert await rotated.open(text) == Opened(ID, b"content")
    assert await Process(process.data, RETIRED).open(text) is None  # its data key does not open
    (row,) = process.data.rows[APP]
    place = data_key_place(APP, row["id"])
    row["wrapped"] = wrap(ROTATED, place, unwrap(ROTATED, place, row["wrapped"]))

    for keys in (ROTATED, RETIRED):
        assert await Process(process.data, keys).open(text) == Opened(ID, b"content")


async def test_a_deleted_data_key_opens_nothing() -> None:
    """Deleting an application's data key shreds its tokens. The master key alone does not help."""
    process = Process()
    text = await process.seal()
    process.data.rows.clear()
    assert await Process(process.data).open(text) is None
    process.sealer.forget(APP)
    assert await process.open(text) is None
