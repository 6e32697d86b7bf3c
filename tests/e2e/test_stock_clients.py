"""Stock libraries sign a user in with their default configuration.

The client was created with a name and redirect URIs only. The programs are in tests/clients, and
docs/oidc.md has the table.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from tests.kit.instance import free_port
from tests.kit.system import PASSWORD, Browser, Page, System, fresh_email

PROGRAMS = Path(__file__).parents[1] / "clients"
CACHE = Path(sys.prefix) / "stock-clients"
"""Folders with installed npm and pip packages, one for each lock file."""
APACHE_MODULES = Path("/usr/lib/apache2/modules")
NAME = "Ada Lovelace"

Command = tuple[list[str], dict[str, str]]
"""The command line of a program, and additions to its environment."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Stock:
    """A library: how its program starts, where sign-in and sign-out begin, and what it sends.

    `sign_out` is empty if the library ends only its own session. `returns` says whether the user
    comes back to `home` of the client."""

    name: str
    command: Callable[[Path], Command]
    callback: str = "/callback"
    start: str = "/login"
    sign_out: str = ""
    home: str = "/"
    returns: bool = True
    pkce: bool = False
    nonce: bool = True
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """A running client program."""

    stock: Stock
    origin: str
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


def installed(kind: str, lock: str, *commands: list[str]) -> Path:
    """Returns a cached folder with the packages of the lock file. The commands run in it, and `{}`
    stands for it."""
    source = PROGRAMS / kind
    digest = hashlib.sha256((source / lock).read_bytes()).hexdigest()[:16]
    folder = CACHE / f"{kind}-{digest}"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    ready = folder / ".installed"
    if not ready.exists():
        for command in commands:
            line = [part.replace("{}", str(folder)) for part in command]
            done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=500)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        ready.touch()
    return folder


def node(program: str, _: Path, kind: str = "node") -> Command:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js with npm here")
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    folder = installed(kind, "package-lock.json", install)
    localhost = PROGRAMS / "node" / "localhost.cjs"
    return ["node", "--require", str(localhost), str(folder / program)], {}


def python(program: str, _: Path) -> Command:
    folder = installed(
        "python",
        "requirements.txt",
        [sys.executable, "-m", "venv", "{}/venv"],
        [
            *("{}/venv/bin/python", "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", "requirements.txt"),
        ],
    )
    file, *rest = program.split()
    command = [str(folder / "venv/bin/python"), str(folder / file), *rest]
    return command, {"PYTHONPATH": str(folder)}


def ruby(program: str, _: Path) -> Command:
    try:
        libraries = ["-r", "omniauth_openid_connect", "-r", "rack/protection", "-r", "webrick"]
        subprocess.run(["ruby", *libraries, "-e", ""], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("ruby-omniauth-openid-connect and ruby-webrick are not installed here")
    folder = PROGRAMS / "ruby"
    command = ["rackup", "--env", "none", "--server", "webrick", "--host", "127.0.0.1"]
    settings = {"RUBYOPT": f"-r{folder / 'localhost.rb'}"}
    return [*command, "--port", "$PORT", str(folder / program)], settings


def apache(program: str, folder: Path) -> Command:
    server = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    if server is None or not (APACHE_MODULES / "mod_auth_openidc.so").exists():
        pytest.skip("libapache2-mod-auth-openidc is not installed here")
    shutil.copytree(PROGRAMS / "apache", folder, dirs_exist_ok=True)
    account = "www-data" if os.geteuid() == 0 else f"#{os.geteuid()}"
    settings = {"FOLDER": str(folder), "MODULES": str(APACHE_MODULES), "RUN_AS": account}
    return [server, "-D", "FOREGROUND", "-f", str(folder / program)], settings


def of(kind: Callable[[str, Path], Command], program: str) -> Callable[[Path], Command]:
    return functools.partial(kind, program)


PASSPORT = Stock("passport-openidconnect", of(node, "passport.js"))
STOCKS = [
    pytest.param(Stock("Authlib", of(python, "authlib_flask.py"), sign_out="/logout")),
    pytest.param(
        Stock(
            "mozilla-django-oidc",
            of(python, "serve_django.py mozilla_site"),
            callback="/oidc/callback/",
            start="/oidc/authenticate/",
            sign_out="/oidc/logout/",
        )
    ),
    pytest.param(
        Stock(
            "social-auth",
            of(python, "serve_django.py social_site"),
            callback="/complete/oidc/",
        )
    ),
    pytest.param(
        Stock(
            "Auth.js",
            of(node, "authjs.js"),
            callback="/auth/callback/aero2",
            start="/auth/signin",
            pkce=True,
            nonce=False,
        ),
        marks=pytest.mark.node,
    ),
    pytest.param(Stock("passport-openidconnect", of(node, "passport.js")), marks=pytest.mark.node),
    pytest.param(
        Stock(
            "express-openid-connect",
            of(node, "express-openid-connect.js"),
            sign_out="/logout",
            home="",
            pkce=True,
        ),
        marks=pytest.mark.node,
    ),
    pytest.param(
        Stock(
            "mod_auth_openidc",
            of(apache, "httpd.conf"),
            start="/me",
            sign_out="/callback?logout={origin}/",
        ),
        marks=pytest.mark.apache,
    ),
    pytest.param(
        Stock(
            "omniauth-openid-connect",
            of(ruby, "omniauth.ru"),
            callback="/auth/openid_connect/callback",
            sign_out="/leave",
            returns=False,
        ),
        marks=pytest.mark.ruby,
    ),
]


@pytest_asyncio.fixture(scope="module")
async def ada(system: System) -> dict[str, str]:
    """Creates a user with a password and returns them as the API shows them."""
    new = {"email": fresh_email(), "email_verified": True, "password": PASSWORD}
    async with system.backend() as api:
        answer = await api.post("/api/users", json=new | {"profile": {"name": NAME}})
    assert answer.status_code == 201, answer.text
    return {"sub": answer.json()["id"], "email": new["email"], "name": NAME}


class AnySite(Browser):
    """A browser that follows every redirect, and records what the client requests."""

    @classmethod
    @asynccontextmanager
    async def open(cls, system: System) -> AsyncIterator[AnySite]:
        requests: list[dict[str, list[str]]] = []

        async def note(request: httpx.Request) -> None:
            if request.url.path == "/oauth2/authorize":
                requests.append(parse_qs(request.url.query.decode()))

        async with system.http("demo", event_hooks={"request": [note]}) as http:
            browser = cls(system, system.origin("demo"), http)
            browser.requests = requests
            yield browser

    requests: list[dict[str, list[str]]]

    def _ours(self, url: str) -> bool:
        return True


@contextmanager
def running(stock: Stock, issuer: str, client: dict[str, str], port: int) -> Iterator[Site]:
    """Runs the client program and yields when it answers."""
    with tempfile.TemporaryDirectory(prefix="stock-") as name:
        folder, origin = Path(name), f"http://127.0.0.1:{port}"
        folder.chmod(0o755)  # Apache's workers run under another account.
        command, more = stock.command(folder)
        settings = {"ISSUER": issuer, "ORIGIN": origin, "PORT": str(port)}
        settings |= {"CLIENT_ID": client["client_id"], "CLIENT_SECRET": client["client_secret"]}
        site = Site(stock, origin, folder / "output.log")
        with site.log.open("w") as output:
            process = subprocess.Popen(
                [part.replace("$PORT", str(port)) for part in command],
                env=os.environ | settings | more | stock.settings,
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        try:
            wait_for(site, process)
            yield site
        finally:
            process.terminate()
            process.wait(20)


def wait_for(site: Site, process: subprocess.Popen[bytes], within: float = 60.0) -> None:
    ends = time.monotonic() + within
    while True:
        assert process.poll() is None, site.output()
        assert time.monotonic() < ends, site.output()
        try:
            httpx.get(site.origin, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


@asynccontextmanager
async def started(system: System, stock: Stock, **fields: Any) -> AsyncIterator[Site]:
    """Runs the program, with a client of the demo that has a name, addresses and `fields`."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    new: dict[str, Any] = {"name": stock.name, "redirect_uris": [origin + stock.callback]}
    if stock.sign_out:
        new["post_logout_redirect_uris"] = [origin + stock.home]
    async with system.backend() as api:
        answer = await api.post("/api/clients", json=new | fields)
    assert answer.status_code == 201, answer.text
    with running(stock, system.origin("demo"), answer.json(), port) as site:
        yield site


async def sign_in(browser: AnySite, site: Site, ada: dict[str, str]) -> None:
    page = await begin(browser, site)
    page = await browser.sign_in(ada["email"], PASSWORD, first=page)
    assert page.url.startswith(site.origin), page.text[:2000]


async def begin(browser: AnySite, site: Site) -> Page:
    """Returns the page to which the client's sign-in leads."""
    page = await browser.get(site.origin + site.stock.start)
    if page.url.startswith(site.origin):  # Some libraries start only by a POST of their own.
        assert page.forms, f"{page.url} {page.text[:2000]} {site.output()}"
        page = await browser.submit(page, page.forms[0])
    return page


@pytest.mark.parametrize("stock", STOCKS, ids=lambda stock: stock.name)
async def test_a_stock_client_signs_in_and_out(
    system: System, ada: dict[str, str], stock: Stock
) -> None:
    """The user signs in at the first try, without consent, and the application gets the user. After
    sign-out client and provider have no session."""
    async with started(system, stock) as site, AnySite.open(system) as browser:
        await sign_in(browser, site, ada)
        (request,) = browser.requests
        assert ("code_challenge" in request, "nonce" in request) == (
            stock.pkce,
            stock.nonce,
        )
        me = (await browser.get(f"{site.origin}/me")).response
        assert (me.status_code, me.json()) == (200, ada), site.output()

        if not stock.sign_out:
            return
        page = await browser.get(site.origin + stock.sign_out.format(origin=site.origin))
        if not stock.returns:  # The library sends no hint, so the user is asked.
            page = await browser.submit(page, page.forms[0])
        assert page.response.status_code == 200, page.text[:2000]
        assert (
            urlsplit(page.url).netloc
            == urlsplit(site.origin if stock.returns else system.origin("demo")).netloc
        ), page.url
        if stock.start != "/me":
            assert (await browser.get(f"{site.origin}/me")).response.status_code == 401
        (await begin(browser, site)).form("email")


@pytest.mark.node
async def test_a_library_that_sends_neither_pkce_nor_nonce(
    system: System, ada: dict[str, str]
) -> None:
    """The error says what is missing (RFC 9700 section 2.1.1). A client with `require_pkce: false`
    may leave it out."""
    stock = replace(PASSPORT, nonce=False, settings={"NONCE": "no"})
    async with started(system, stock) as site, AnySite.open(system) as browser:
        page = await browser.get(site.origin + stock.start)
        assert page.response.json()["error"].startswith("code_challenge is missing"), page.text

    async with started(system, stock, require_pkce=False) as site:
        async with AnySite.open(system) as browser:
            await sign_in(browser, site, ada)
            assert (await browser.get(f"{site.origin}/me")).response.json() == ada
