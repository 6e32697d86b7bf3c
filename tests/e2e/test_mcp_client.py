"""The official Python client of the Model Context Protocol connects to a server that is protected as
docs/agents.md shows it: from the first 401 to a tool that knows the user."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Browser as Chromium
from tests.e2e.test_pages_in_chromium import person
from tests.e2e.test_stock_clients import installed
from tests.kit.certificates import certified
from tests.kit.deployments import Shape
from tests.kit.instance import free_port
from tests.kit.system import PASSWORD, System, fresh_email

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "agents.md"


def host_of_this_machine() -> str:
    """Returns the name of this machine if it leads to the loopback address, else that address."""
    name = socket.gethostname().lower()
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(name, 443)}
    except OSError:
        addresses = set()
    return name if addresses == {"127.0.0.1"} else "127.0.0.1"


HOST = host_of_this_machine()
HERE = sys.executable

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def snippet(name: str) -> str:
    """Returns the program of the guide whose first line names the file."""
    match = re.search(rf"```python\n(# {re.escape(name)},.*?)```", GUIDE.read_text(), re.DOTALL)
    assert match is not None, name
    return match[1]


def mcp_python() -> tuple[str, Path]:
    """Returns a Python that has the package `mcp`, and the folder of the agent."""
    folder = installed(
        "mcp",
        "requirements.txt",
        [sys.executable, "-m", "venv", "{}/venv"],
        [
            *("{}/venv/bin/python", "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", "requirements.txt"),
        ],
    )
    return str(folder / "venv/bin/python"), folder


@dataclass
class DocumentServer:
    """An https server with the metadata document of the agent."""

    url: str
    requests: list[str]


@pytest.fixture(scope="module")
def document_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentServer]:
    folder = tmp_path_factory.mktemp("agent")
    pem, context = certified(folder, HOST)
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            body = json.dumps(
                {
                    "client_id": url,
                    "client_name": "Notes agent",
                    "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
                    "grant_types": ["authorization_code", "refresh_token"],
                    "response_types": ["code"],
                    "token_endpoint_auth_method": "none",
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://{HOST}:{server.server_port}/oauth/agent.json"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(pem))
            yield DocumentServer(url, requests)
        server.shutdown()


@pytest.fixture(scope="module")
def agents(
    shape: Shape, document_server: DocumentServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """A deployment that trusts the certificate of the agent's host."""
    if shape is not Shape.SEPARATE:
        pytest.skip("other shapes do not trust the certificate of a test")
    running = System.start(shape, tmp_path_factory.mktemp("agents") / "data")
    yield running
    running.stop()


@asynccontextmanager
async def running_server(
    python: str, folder: Path, program: str, **variables: str
) -> AsyncIterator[str]:
    """Runs a program of the guide under uvicorn. Yields its origin."""
    name = f"{program.removeprefix('# ').partition(',')[0]}"
    (folder / name).write_text(program)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    variables = {name: value.replace("ORIGIN", origin) for name, value in variables.items()}
    path = os.pathsep.join([str(ROOT / "sdk/python"), str(ROOT / "tests/clients/mcp")])
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "uvicorn", f"{name.removesuffix('.py')}:app", "--port", str(port)),
        cwd=folder,
        env=os.environ | variables | {"PYTHONPATH": path},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(300):
                assert process.returncode is None, (await process.communicate())[1].decode()
                try:
                    await http.get(origin)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield origin
    finally:
        process.kill()
        await process.wait()


async def register(system: System, resource: str, **settings: Any) -> None:
    """Registers the server and its scope, and changes the settings."""
    async with system.backend() as api:
        new = {"identifier": resource, "name": "Notes server"}
        assert (await api.post("/api/resources", json=new)).status_code == 201
        await api.post("/api/scopes", json={"name": "notes", "description": "Read your notes"})
        answer = await api.put("/api/settings", json=settings)
        assert answer.status_code == 200, answer.text


async def allow(chromium: Chromium, system: System, url: str, email: str, picture: Path) -> str:
    """Signs the user in at the address that the agent opened, and allows what it requests. Returns what
    the consent page says."""
    async with person(chromium, system, True) as ada:
        await ada.page.goto(url)
        await ada.enter(email=email)
        await ada.enter(password=PASSWORD)
        assert await ada.page.locator("button[value=allow]").count(), await ada.text()
        await ada.page.screenshot(path=picture, full_page=True)
        text = await ada.page.inner_text("main")
        await ada.page.click("button[value=allow]")
        await ada.page.wait_for_url("http://127.0.0.1:*/callback?*")
    return text


async def connect(
    system: System, chromium: Chromium, server: str, document: str | None, picture: Path
) -> tuple[dict[str, Any], str, dict[str, list[str]], str]:
    """Runs the agent against a server, while a user signs in and consents."""
    python, folder = mcp_python()
    email = fresh_email()
    async with system.backend() as api:
        new = {"email": email, "password": PASSWORD}
        assert (await api.post("/api/users", json=new)).status_code == 201
    process = await asyncio.create_subprocess_exec(
        *(python, str(folder / "agent.py"), server, str(free_port())),
        *([document] if document else []),
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        assert line, (await process.communicate())[1].decode()[-4000:]
        url = json.loads(line)["authorize"]
        text = await allow(chromium, system, url, email, picture)
        out, errors = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, errors.decode()[-4000:]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return json.loads(out.splitlines()[-1]), text, parse_qs(urlsplit(url).query), email


async def test_an_agent_that_is_known_by_its_document(
    agents: System, chromium: Chromium, document_server: DocumentServer, tmp_path: Path
) -> None:
    """The whole way: challenge, metadata, document, sign-in, consent, token, tool."""
    python, _ = mcp_python()
    program = snippet("notes_mcp.py")
    issuer = agents.origin("demo")
    variables = {"ISSUER": issuer, "RESOURCE": "ORIGIN/mcp"}
    async with running_server(python, tmp_path, program, **variables) as origin:
        server = f"{origin}/mcp"
        await register(agents, server, client_id_documents="any")
        result, text, sent, email = await connect(
            agents, chromium, server, document_server.url, tmp_path / "consent.png"
        )
        keep(tmp_path / "consent.png", "consent-document.png")
    assert (sent["client_id"], sent["resource"]) == ([document_server.url], [server])
    assert HOST in text
    assert "Read your notes" in text
    assert "Notes server" in text
    assert result["client_id"] == result["told"]["agent"] == document_server.url
    assert set(result["told"]["scopes"]) == {"notes", "offline_access"}
    assert result["tokens"]["refresh_token"]
    assert document_server.requests == ["/oauth/agent.json"]
    async with agents.backend() as api:
        users = (await api.get("/api/users/by-email", params={"email": email})).json()
        clients = (await api.get("/api/clients", params={"limit": 100})).json()["clients"]
    assert result["told"]["user"] == users["id"]
    assert [c["name"] for c in clients if c["client_id"] == document_server.url] == ["Notes agent"]


async def test_an_agent_that_registers_itself(
    agents: System, chromium: Chromium, tmp_path: Path
) -> None:
    """The same without a document: the agent registers at the endpoint that it finds (RFC 7591)."""
    python, _ = mcp_python()
    variables = {"ISSUER": agents.origin("demo"), "RESOURCE": "ORIGIN/mcp"}
    async with running_server(python, tmp_path, snippet("notes_mcp.py"), **variables) as origin:
        server = f"{origin}/mcp"
        await register(agents, server, client_id_documents="off", client_registration="open")
        result, text, sent, _ = await connect(
            agents, chromium, server, None, tmp_path / "consent.png"
        )
        keep(tmp_path / "consent.png", "consent-registered.png")
    assert sent["resource"] == [server]
    assert sent["client_id"][0].startswith("client_")
    assert "Notes agent" in text
    assert "Read your notes" in text
    assert result["client_id"] == result["told"]["agent"] == sent["client_id"][0]
    assert "notes" in result["told"]["scopes"]


def keep(picture: Path, name: str) -> None:
    """Copies a screenshot to the folder that PICTURES names, for its author to look at."""
    folder = os.environ.get("PICTURES")
    if folder:
        Path(folder, name).write_bytes(picture.read_bytes())


async def test_an_api_of_the_guide(agents: System, tmp_path: Path) -> None:
    """The FastAPI program of the guide leads a client to the issuer, and knows the user by the token."""
    issuer = agents.origin("demo")
    variables = {"ISSUER": issuer, "RESOURCE": "ORIGIN"}
    async with (
        running_server(HERE, tmp_path, snippet("notes_api.py"), **variables) as origin,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        await register(agents, origin, client_id_documents="off")
        answer = await http.get(f"{origin}/notes")
        assert answer.status_code == 401
        assert 'scope="notes"' in answer.headers["www-authenticate"]
        found = re.search(r'resource_metadata="([^"]+)"', answer.headers["www-authenticate"])
        assert found is not None
        metadata = (await http.get(found[1])).json()
        assert (metadata["resource"], metadata["authorization_servers"]) == (origin, [issuer])
        async with agents.backend() as api:
            new = {"name": "Job", "type": "service", "scopes": ["notes"]}
            client = (await api.post("/api/clients", json=new)).json()
        async with agents.http() as demo:
            form = {"grant_type": "client_credentials", "resource": f"{origin}/"}
            credentials = (client["client_id"], client["client_secret"])
            tokens = (await demo.post("/oauth2/token", data=form, auth=credentials)).json()
            other = await demo.post(
                "/oauth2/token", data={"grant_type": "client_credentials"}, auth=credentials
            )
        answer = await http.get(f"{origin}/notes", headers=bearer(tokens))
        assert answer.json() == {"user": client["client_id"], "agent": client["client_id"]}
        answer = await http.get(f"{origin}/notes", headers=bearer(other.json()))

    assert answer.status_code == 401, "a token for another API"


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}
