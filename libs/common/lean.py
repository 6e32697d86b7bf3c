"""Importing a package without what only its own command line needs.

structlog and httpx import rich, pygments and click wherever these are installed (the `aero2`
command brings them): a quarter of a second of every service's start, for nothing.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Hide packages that are not imported yet, for the moment of one import."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
