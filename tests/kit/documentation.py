"""Runs functions of the documentation as a reader copies them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from tests.kit.form_browser import Loopback

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, function: str) -> Callable[..., Any]:
    """Returns a function of a page."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    (code,) = [block for block in blocks if f"def {function}(" in block]
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)
    found: Callable[..., Any] = names[function]
    return found


async def run_example(page: str, function: str, *args: Any) -> Any:
    """Runs a function of a page that calls the platform, where every name is this machine's."""
    run = example(page, function)
    with httpx.Client(transport=Loopback(), timeout=30) as http:
        run.__globals__["httpx"] = http
        return await asyncio.to_thread(run, *args)
