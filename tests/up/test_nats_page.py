"""Runs docs/nats.md as it is written: `aero2 up` answers a nats-server."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import nats
import pytest
from nats.aio.msg import Msg
from tests.kit.instance import Instance, environment, free_port
from tests.kit.nats_server import NatsServer, until
from tests.kit.system import Loopback

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[2] / "docs" / "nats.md"
PORT = "4333"
"""The port of the customer's server in the page."""


def blocks(kind: str, values: dict[str, str]) -> list[str]:
    """Returns the page's blocks of a kind, with our values."""
    text = PAGE.read_text()
    for written, ours in values.items():
        text = text.replace(written, ours)
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def shell(command: str, folder: Path) -> None:
    done = subprocess.run(command, shell=True, cwd=folder, env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


async def test_the_page(tmp_path: Path) -> None:
    """Keys and configuration by the command, variables as they stand there, a role's subjects, and the
    program of the page. Every process has the rights that it needs, and no more."""
    first = Instance(tmp_path / "data").start()
    summary = first.ready()
    first.stop()
    demo, port = summary["demo"], str(free_port())
    values = {"<application id>": demo["app_id"], PORT: port}
    config, exports, patch = blocks("sh", values)[:3]
    shell(config, tmp_path)
    [server_conf] = blocks("conf", values)
    (tmp_path / "server.conf").write_text(server_conf)
    server = NatsServer(tmp_path, int(port), tmp_path / "server.conf")
    server.launch()
    settings = {
        name: value.replace("$PWD", str(tmp_path))
        for name, value in re.findall(r"export (AERO2_\w+)=(\S+)", exports)
    }
    assert len(settings) == 6
    platform = Instance(tmp_path / "data", port=first.port, settings=settings).start()
    try:
        platform.ready()
        [fields] = re.findall(r"-d '(.*?)' ", patch, re.DOTALL)
        bearer = {"authorization": f"Bearer {demo['secret_key']}"}
        origin = f"http://demo.localhost:{first.port}"
        async with httpx.AsyncClient(transport=Loopback(), base_url=origin, headers=bearer) as http:
            answer = await http.patch("/api/roles/user", json=json.loads(fields))
            assert answer.status_code == 200, answer.text

        backend = await nats.connect(server.url, token=demo["secret_key"], connect_timeout=30)
        heard: list[str] = []

        async def hear(msg: Msg) -> None:
            heard.append(msg.subject)

        await backend.subscribe("orders.>", cb=hear)
        await backend.flush()
        program = blocks("python", values)[0]
        (tmp_path / "program.py").write_text(program)
        command = [sys.executable, str(tmp_path / "program.py"), demo["secret_key"], "ann"]
        ran = await asyncio.to_thread(
            subprocess.run, command, env=environment(), capture_output=True
        )
        assert ran.returncode == 0, ran.stderr.decode()
        await until(lambda: heard == ["orders.ann.new"])
        await backend.close()
        assert "callout" in platform.children()
        for log in (tmp_path / "data").rglob("*.log"):
            text = log.read_text(errors="replace")
            assert "permissions violation" not in text.lower(), log
            assert demo["secret_key"] not in text
    finally:
        platform.stop()
        server.stop()
