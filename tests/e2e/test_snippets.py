"""The snippets of "Getting started" run as the page shows them, and sign a user in.

Each has the client that the button of the page creates. Only its port is a free one.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import httpx
import pytest
from playwright.async_api import Browser, Route
from tests.e2e.test_pages_in_chromium import person
from tests.e2e.test_stock_clients import PROGRAMS, AnySite, Command, node, python
from tests.kit.instance import free_port
from tests.kit.system import PASSWORD, Page, System, fresh_email

from common.contracts.clients import CreateClient
from gateway.dashboard.snippets import SNIPPETS, Snippet, snippet_of

LIBRARY = Path(__file__).parent / "vendor" / "oidc-client-ts.min.js"
SECRET = "CLIENT_SECRET=… "
HERE: Command = ([sys.executable], {})
"""The Python of these tests, which has FastAPI and Authlib."""
RUN_BY: dict[str, Callable[[Path], Command]] = {
    "fastapi": lambda folder: HERE,
    "django": functools.partial(python, "authlib_flask.py"),
    "flask": functools.partial(python, "authlib_flask.py"),
    "express": functools.partial(node, "authjs.js"),
    "nextjs": functools.partial(node, "next", kind="next"),
}
PROGRAMS_SHOWN = [
    pytest.param("fastapi"),
    pytest.param("django", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    pytest.param("flask", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    pytest.param("express", marks=[pytest.mark.node, pytest.mark.long, pytest.mark.timeout(600)]),
    pytest.param("nextjs", marks=[pytest.mark.node, pytest.mark.long, pytest.mark.timeout(900)]),
]


def shown(key: str) -> Snippet:
    """Returns the snippet with a free port in the place of its usual one."""
    snippet = snippet_of(key)
    assert snippet is not None
    return replace(snippet, port=free_port())


@asynccontextmanager
async def client_of(system: System, snippet: Snippet) -> AsyncIterator[dict[str, str]]:
    """Creates the client of the snippet as its button does, and deletes it again."""
    call = snippet.client()
    assert isinstance(call, CreateClient)
    async with system.backend() as api:
        made = await api.post("/api/clients", json=call.model_dump(mode="json", exclude_unset=True))
        assert made.status_code == 201, made.text
        yield made.json()
        await api.delete(f"/api/clients/{made.json()['client_id']}")


def lines_of(text: str) -> tuple[str, str]:
    """Returns the name of the program's file, and the command that starts it, from its first lines."""
    comments = [line.lstrip("#/ ") for line in text.splitlines()[:4] if line[:1] in "#/"]
    command = next(line for line in comments if line.startswith(SECRET))
    return comments[0], command.removeprefix(SECRET)


def parts_of(command: str) -> tuple[dict[str, str], str, list[str]]:
    """Returns the variables before a command, the program, and its arguments. A value that the developer
    chooses is a random text."""
    words = command.split()
    count = next(number for number, word in enumerate(words) if "=" not in word)
    settings = dict(word.split("=", 1) for word in words[:count])
    chosen = {name: token_hex() if value == "…" else value for name, value in settings.items()}
    return chosen, words[count], words[count + 1 :]


@contextmanager
def running(folder: Path, snippet: Snippet, text: str, secret: str) -> Iterator[Path]:
    """Runs the command of a snippet and yields the file with its output."""
    name, command = lines_of(text)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    settings, program, arguments = parts_of(command)
    (interpreter, *others), more = RUN_BY[snippet.key](folder)
    line = [interpreter, *arguments]
    if program in ("node", "npx"):
        modules = Path(others[-1]).parent / "node_modules"
        # Bundlers refuse packages behind a symbolic link out of the project.
        shutil.copytree(modules, folder / "node_modules", symlinks=True, copy_function=os.link)
        settings |= {"NODE_OPTIONS": f"--require {PROGRAMS / 'node' / 'localhost.cjs'}"}
    elif program != "python":
        line = [interpreter, "-m", program, *arguments]
    if program == "npx":
        line = [interpreter, f"node_modules/.bin/{arguments[0]}", *arguments[1:]]
    path = os.pathsep.join([str(PROGRAMS / "python"), *more.get("PYTHONPATH", "").split()])
    env = (
        os.environ
        | settings
        | {
            "CLIENT_SECRET": secret,
            "PYTHONPATH": path,
            "UVICORN_LOOP": "asyncio",
        }
    )
    log = folder / "output.log"
    with log.open("w") as output:
        process = subprocess.Popen(line, cwd=folder, env=env, stdout=output, stderr=output)
        try:
            wait_for(snippet.origin, process, log)
            yield log
        finally:
            process.terminate()
            process.wait(20)


def wait_for(origin: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 120
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        try:
            httpx.get(f"{origin}/no-such-page", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


async def new_user(system: System) -> str:
    """Creates a user with a password and returns their address."""
    email = fresh_email()
    new = {"email": email, "email_verified": True, "password": PASSWORD}
    async with system.backend() as api:
        assert (await api.post("/api/users", json=new)).status_code == 201
    return email


@pytest.mark.parametrize("key", PROGRAMS_SHOWN)
async def test_a_program_signs_a_user_in(system: System, key: str, tmp_path: Path) -> None:
    """The program with its client works at the first try, and shows who signed in."""
    snippet, email = shown(key), await new_user(system)
    async with client_of(system, snippet) as client, AnySite.open(system) as browser:
        text = snippet.text(system.origin("demo"), client["client_id"])
        with running(tmp_path, snippet, text, client["client_secret"]) as log:
            page = await first_page(browser, snippet)
            page = await browser.sign_in(email, PASSWORD, first=page)

            assert page.url.rstrip("/") == snippet.origin, (page.text[:2000], log.read_text())
            if snippet.key == "nextjs":  # the program has no page of its own
                page = await browser.get(f"{snippet.origin}/api/auth/session")
                assert page.response.json()["user"]["email"] == email
            else:
                assert page.response.json()["email"] == email


async def first_page(browser: AnySite, snippet: Snippet) -> Page:
    """Begins at the program, as a user does, and returns the sign-in page of the application."""
    if snippet.key != "nextjs":
        return await browser.get(f"{snippet.origin}/login")
    button = await browser.get(f"{snippet.origin}/api/auth/signin")
    return await browser.submit(button, button.form("csrfToken", action="signin/aero2"))


async def test_the_call_of_the_api(system: System) -> None:
    """The command for curl lists users with the application's secret key."""
    text = shown("curl").text(system.origin("demo"), None)
    key = {"AERO2_SECRET_KEY": system.demo["secret_key"]}
    done = subprocess.run(["sh", "-c", text], env=os.environ | key, capture_output=True, text=True)

    assert '"users":[' in done.stdout.replace(" ", ""), done


@pytest.mark.browser
async def test_a_page_signs_a_user_in(chromium: Browser, system: System, tmp_path: Path) -> None:
    """The page signs in and out with oidc-client-ts. Its integrity value is that of the real file."""
    snippet, email = shown("html"), await new_user(system)

    async def library(route: Route) -> None:
        headers = {"access-control-allow-origin": "*", "content-type": "text/javascript"}
        await route.fulfill(body=LIBRARY.read_bytes(), headers=headers)

    async with client_of(system, snippet) as client:
        (tmp_path / "index.html").write_text(
            snippet.text(system.origin("demo"), client["client_id"])
        )
        line = [sys.executable, "-m", "http.server", str(snippet.port)]
        with (tmp_path / "output.log").open("w") as output:
            process = subprocess.Popen(line, cwd=tmp_path, stdout=output, stderr=output)
        try:
            wait_for(snippet.origin, process, tmp_path / "output.log")
            async with person(chromium, system, js=True) as ada:
                await ada.page.context.route("https://cdn.jsdelivr.net/**", library)
                await ada.page.goto(snippet.origin)
                await ada.page.click("#sign-in")
                await ada.enter(email=email)
                await ada.enter(password=PASSWORD)
                await ada.page.wait_for_selector(f"#who:has-text('{email}')")
                await ada.page.click("#sign-out")
                await ada.page.wait_for_selector("#who:has-text('Not signed in')")
        finally:
            process.terminate()
            process.wait(20)


def test_every_snippet_is_run() -> None:
    """No snippet is on the page that no test runs."""
    ran = {str(each.values[0]) for each in PROGRAMS_SHOWN} | {"curl", "html"}

    assert {snippet.key for snippet in SNIPPETS} == ran
