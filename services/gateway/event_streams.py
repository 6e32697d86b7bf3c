"""Server-sent events (WHATWG HTML section 9.2)."""

from __future__ import annotations

import random
from typing import Final

RETRY: Final = 2000
"""Milliseconds until a client that lost its stream connects again, about."""


def come_back_after(milliseconds: int) -> str:
    """Returns the field `retry`: the time after which a client that lost the stream connects again, shorter or
    longer by up to half. Without that, all followers of a gateway that was restarted would come back at the same
    moment."""
    spread = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    return f"retry: {round(milliseconds * spread)}\n"
