"""The Date header field of a response (RFC 9110 section 6.6.1)."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Final


class DateHeader:
    """Makes the field once in a second in which it is needed. An idle process makes none."""

    def __init__(self) -> None:
        self._second = -1
        self._headers: list[tuple[bytes, bytes]] = []

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Returns the field of this second, as the list that uvicorn sends first."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers


DATE: Final = DateHeader()
