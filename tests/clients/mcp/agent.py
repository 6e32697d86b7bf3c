"""An agent: the client of the package `mcp` with its own authorization, and nothing else.

`python agent.py SERVER PORT [DOCUMENT]` prints the address to which its user goes, waits on the port for the
answer, calls a tool of the server and prints what the tool says. With DOCUMENT, the agent is known by that
metadata document; otherwise it registers itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Storage:
    """Keeps tokens and registration in memory."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


async def answer_on(port: int) -> AuthorizationCodeResult:
    """Waits for the browser on the loopback port (RFC 8252 section 7.3)."""
    target: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\nDone")
        await writer.drain()
        writer.close()
        if not target.done():
            target.set_result(head.decode().split(" ")[1])

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        fields = {name: texts[0] for name, texts in parse_qs(urlsplit(await target).query).items()}
    if "code" not in fields:
        raise SystemExit(json.dumps(fields))
    return AuthorizationCodeResult(
        code=fields["code"], state=fields.get("state"), iss=fields.get("iss")
    )


def say(**members: Any) -> None:
    """Writes a line of JSON for the test."""
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


async def main(server: str, port: int, document: str | None) -> None:
    storage = Storage()

    async def open_browser(url: str) -> None:
        say(authorize=url)

    provider = OAuthClientProvider(
        server,
        OAuthClientMetadata.model_validate(
            {"client_name": "Notes agent", "redirect_uris": [f"http://127.0.0.1:{port}/callback"]}
        ),
        storage,
        redirect_handler=open_browser,
        callback_handler=lambda: answer_on(port),
        client_metadata_url=document,
    )
    async with (
        httpx2.AsyncClient(auth=provider, timeout=120) as http,
        Client(streamable_http_client(server, http_client=http)) as client,
    ):
        result = await client.call_tool("whoami", {})
    told = json.loads(result.content[0].text)
    tokens = storage.tokens.model_dump(mode="json")
    say(told=told, tokens=tokens, client_id=storage.client.client_id)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or [None])[0]))
