"""A customer's single-page application: the example of sdk/js, at an origin of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.kit.system import System

SDK = Path(__file__).parents[2] / "sdk" / "js"
EXAMPLE = SDK / "examples" / "notes"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
}


@dataclass
class SinglePageApp:
    """The application: where it is, and its client at the demo application."""

    origin: str
    client_id: str


@asynccontextmanager
async def single_page_app(system: System, host: str = "localhost") -> AsyncIterator[SinglePageApp]:
    """Registers a client, and serves the example until the block ends. `host` decides whether the application is on
    the site of the issuer."""
    settings: dict[str, str] = {"issuer": system.origin("demo")}

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            file = SDK / "aero2.js" if path == "/aero2.js" else EXAMPLE / path.lstrip("/")
            if path == "/settings.json":
                body, kind = json.dumps(settings).encode(), ".json"
            elif file.is_file() and file.suffix in TYPES:
                body, kind = file.read_bytes(), file.suffix
            else:  # every other path is a view of the application
                body, kind = (EXAMPLE / "index.html").read_bytes(), ".html"
            self.send_response(200)
            self.send_header("content-type", TYPES[kind])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://{host}:{server.server_port}"
    fields = {
        "name": "Notes",
        "type": "spa",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [f"{origin}/callback"],
        "post_logout_redirect_uris": [f"{origin}/"],
        "scopes": ["openid", "profile", "email", "offline_access"],
        "first_party": True,
        "allowed_origins": [origin],
    }
    try:
        async with system.backend() as http:
            answer = await http.post("/api/clients", json=fields)
            assert answer.status_code == 201, answer.text
            settings["clientId"] = answer.json()["client_id"]
            yield SinglePageApp(origin, settings["clientId"])
            await http.delete(f"/api/clients/{settings['clientId']}")
    finally:
        server.shutdown()
        server.server_close()
