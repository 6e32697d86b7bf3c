"""Templates are compiled before somebody asks for them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from jinja2 import Environment

from gateway.pages import template_compilation
from gateway.pages.languages import OFFERED
from gateway.pages.template_engine import TEMPLATES, environment

NAMES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The thread of each compilation. No template is compiled yet."""
    threads: list[int] = []
    whole = Environment.compile

    def compile(self: Environment, *args: Any, **more: Any) -> Any:
        threads.append(threading.get_ident())
        return whole(self, *args, **more)

    monkeypatch.setattr(Environment, "compile", compile)
    monkeypatch.setattr(template_compilation, "PAUSE", 0)
    for code in OFFERED:
        cache = environment(code).cache
        assert cache is not None
        cache.clear()
    return threads


async def test_no_view_compiles_a_template(compilations: list[int]) -> None:
    """After the start every template exists in every language, and none was compiled by the thread that
    answers requests."""
    await template_compilation.compile_templates()
    compiled = list(compilations)
    for code in OFFERED:
        for name in NAMES:
            environment(code).get_template(name)

    assert len(NAMES) > 100
    assert len(compiled) == len(NAMES) * len(OFFERED)
    assert threading.get_ident() not in compiled
    assert compilations == compiled


async def test_requests_are_answered_meanwhile(compilations: list[int]) -> None:
    """The event loop has a turn between two templates, and a page that comes first compiles its own."""
    work = asyncio.create_task(template_compilation.compile_templates())
    turns = 0
    while len(compilations) < 20:
        await asyncio.sleep(0)
        turns += 1
    last = environment(OFFERED[-1]).get_template(NAMES[-1])
    work.cancel()

    assert turns >= 20
    assert last is environment(OFFERED[-1]).get_template(NAMES[-1])
    assert compilations.count(threading.get_ident()) >= 1
    assert len(compilations) < len(NAMES)
