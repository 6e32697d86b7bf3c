"""Keyset cursors: opaque, authenticated, and bound to the list that they come from."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import orjson

from common.crypto import Keys
from common.problems import BadRequest

Row = TypeVar("Row")

MAC = 16


class BadCursor(BadRequest):
    """Not one of ours, tampered with, or of another list or application."""

    code, title = "bad_cursor", "The cursor is not valid for this list."


@dataclass(frozen=True)
class Cursors:
    """Makes and reads cursors with a key of their own."""

    keys: Keys

    def make(self, app_id: str, of: str, *values: str | datetime | None) -> str:
        """Returns a cursor. `of` names the list; `values` are the sort key of its last row."""
        body = orjson.dumps(values)
        mac = self.keys.digest("cursor", self._message(app_id, of, body))[:MAC]
        return urlsafe_b64encode(mac + body).rstrip(b"=").decode()

    def page(
        self,
        app_id: str,
        of: str,
        rows: list[Row],
        limit: int,
        *,
        key: Callable[[Row], tuple[str | datetime | None, ...]],
        fit: Callable[[list[Row]], list[Row]] = list,
    ) -> tuple[list[Row], str | None]:
        """Returns the rows to show and, if there are more, the cursor of the next page. `rows` are the
        result of a statement with the limit `limit + 1`; `fit` may leave out what is too much at
        once."""
        page = fit(rows[:limit])
        if len(page) == len(rows):
            return page, None
        return page, self.make(app_id, of, *key(page[-1]))

    def read(self, app_id: str, of: str, cursor: str | None, count: int) -> tuple[str | None, ...]:
        """Returns the values of a cursor as text, or `count` times None for the first page. Raises
        BadCursor."""
        if cursor is None:
            return (None,) * count
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (Base64Error, ValueError):
            raise BadCursor from None
        mac, body = raw[:MAC], raw[MAC:]
        if not self.keys.has_made("cursor", self._message(app_id, of, body), mac, MAC):
            raise BadCursor
        values = orjson.loads(body)
        if len(values) != count:
            raise BadCursor
        return tuple(values)

    def _message(self, app_id: str, of: str, body: bytes) -> bytes:
        return b"\0".join((app_id.encode(), of.encode(), body))
