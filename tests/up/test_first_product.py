"""Runs docs/first-product.md as it is written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.kit.form_browser import browser, submit
from tests.kit.instance import Instance, environment, free_port

pytestmark = pytest.mark.timeout(240)

PAGE = Path(__file__).parents[2] / "docs" / "first-product.md"
PASSWORD = "six unusual otters juggle"
EMAIL = "ada@example.com"
RESOLVER = """
import socket
real = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    name = host.decode() if isinstance(host, bytes) else host
    return real("127.0.0.1" if name and name.endswith(".localhost") else host, *more, **named)
socket.getaddrinfo = getaddrinfo
"""
"""The effect of the line in /etc/hosts."""


def blocks(kind: str, ports: dict[str, str]) -> list[str]:
    """Returns the page's code blocks, with free ports."""
    text = PAGE.read_text()
    for usual, free in ports.items():
        text = text.replace(usual, free)
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@contextmanager
def running(folder: Path, command: str, port: int) -> Iterator[str]:
    """Runs the program and yields its address."""
    (folder / "sitecustomize.py").write_text(RESOLVER)
    env = environment() | {"UVICORN_LOOP": "asyncio"}  # uvloop has a resolver of its own
    env["PYTHONPATH"] = f"{folder}:{env['PYTHONPATH']}"
    words = command.split()
    with (folder / "shop.log").open("w") as log:
        argv = [sys.executable, "-m", *words]
        program = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=log)
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as http:
                assert http.get(f"http://127.0.0.1:{port}/").status_code == 200
            yield f"http://localhost:{port}"
        finally:
            program.terminate()
            program.wait(10)


def test_your_first_product(shared: Instance) -> None:
    """Every command and the program: sign-in, Back, sign-out, and a declined consent."""
    port, folder = free_port(), shared.folder.parent
    ports = {"8080": str(shared.port), "8000": str(port)}
    (program,) = blocks("python", ports)
    made, run = blocks("sh", ports)
    path = made.replace(".venv/bin/aero2", f"{sys.executable} -m aero2")
    subprocess.run(["sh", "-ec", path], cwd=folder, env=environment(), check=True)
    (folder / "shop.py").write_text(program)
    shop = json.loads((folder / "shop.json").read_text())
    client = json.loads((folder / "client.json").read_text())
    key = next(each["key"] for each in shop["api_keys"] if each["key_type"] == "secret")

    with (
        running(folder, run.strip().splitlines()[-1].removeprefix(".shop/bin/"), port) as url,
        browser(follow_redirects=True) as ada,
    ):
        user = {"email": EMAIL, "email_verified": True, "password": PASSWORD}
        headers = {"Authorization": f"Bearer {key}"}
        assert ada.post(f"{shop['url']}/api/users", json=user, headers=headers).is_success

        page = submit(ada, ada.get(f"{url}/login"), email=EMAIL)
        signed = submit(ada, page, password=PASSWORD)
        assert f"Signed in as {EMAIL}" in signed.text
        assert f"Signed in as {EMAIL}" in ada.get(f"{url}/callback?code=old&state=old").text

        out = ada.post(f"{url}/logout")
        assert str(out.url) == f"{url}/", out.text
        assert "Sign in" in out.text

        where = f"{shop['url']}/api/clients/{client['id']}"
        assert ada.patch(where, json={"first_party": False}, headers=headers).is_success
        page = submit(ada, ada.get(f"{url}/login"), email=EMAIL)
        consent = submit(ada, page, password=PASSWORD)
        declined = submit(ada, consent, consent="deny")
        assert (declined.status_code, "Not signed in" in declined.text) == (400, True)
        assert "Sign in" in ada.get(url).text
