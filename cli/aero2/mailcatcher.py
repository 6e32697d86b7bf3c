"""Catches every mail the platform sends and shows it on a page: `python -m aero2.mailcatcher`.

It is meant for trials and tests. It keeps the newest mails in memory, delivers none, and listens on
loopback unless an option names another address.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from aero2.embedded.ports import listener
from aero2.mailbox import LINK, Mailbox
from common import crash_lines, logs

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of one mail."""


# The page

STYLE: Final = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .4rem .6rem }
tr + tr { border-top: 1px solid color-mix(in srgb, currentcolor 20%, transparent) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
iframe { width: 100%; height: 28rem; border: 1px solid #8888; background: #fff }
.muted { opacity: .7 } form { display: inline }
"""
SHELL: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SANDBOX: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
GUARDS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><main>{body}</main></html>",
        headers=GUARDS | {"Content-Security-Policy": SHELL},
    )


def _linked(text: str) -> str:
    """The text as HTML, with links that open in a tab of their own."""
    parts, at = [], 0
    for found in LINK.finditer(text):
        address = html.escape(found.group())
        parts.append(html.escape(text[at : found.start()]))
        parts.append(f'<a href="{address}" target="_blank" rel="noopener noreferrer">{address}</a>')
        at = found.end()
    return "".join(parts) + html.escape(text[at:])


def _box(request: Request) -> Mailbox:
    box: Mailbox = request.app.state.box
    return box


async def index(request: Request) -> Response:
    rows = "".join(
        f'<tr><td><a href="/mails/{mail.id}">{html.escape(mail.subject or "(no subject)")}</a>'
        f"<td>{html.escape(', '.join(mail.to))}"
        f'<td class="muted"><time>{mail.received_at[:19].replace("T", " ")}</time>'
        for mail in _box(request).newest(request.query_params.get("to"))
    )
    if not rows:
        return _page("Mail", "<h1>Mail</h1><p>Nothing yet. Mail that Aero2 sends arrives here.</p>")
    head = "<tr><th>Subject<th>To<th>Received (UTC)"
    clear = '<form method="post" action="/clear"><button>Delete all</button></form>'
    return _page("Mail", f"<h1>Mail</h1><table>{head}{rows}</table><p>{clear}</p>")


async def show(request: Request) -> Response:
    mail = _box(request).find(request.path_params["id"])
    if mail is None:
        return _gone()
    formatted = (
        f'<h2>Formatted</h2><iframe src="/mails/{mail.id}/html" title="The formatted mail" '
        f'sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
        if mail.html
        else ""
    )
    return _page(
        mail.subject,
        f'<p><a href="/">All mail</a></p><h1>{html.escape(mail.subject)}</h1>'
        f'<p class="muted">From {html.escape(mail.sender)} to {html.escape(", ".join(mail.to))}'
        f"</p><pre>{_linked(mail.text)}</pre>{formatted}",
    )


async def show_html(request: Request) -> Response:
    mail = _box(request).find(request.path_params["id"])
    if mail is None:
        return _gone()
    return HTMLResponse(
        f'<base target="_blank">{mail.html}', headers=GUARDS | {"Content-Security-Policy": SANDBOX}
    )


def _gone() -> Response:
    made = _page("Gone", '<h1>This mail is gone</h1><p><a href="/">All mail</a></p>')
    made.status_code = 404
    return made


async def clear(request: Request) -> Response:
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return JSONResponse({"detail": "from another site"}, status_code=403)
    _box(request).empty()
    return RedirectResponse("/", status_code=303)


async def api_list(request: Request) -> Response:
    found = _box(request).newest(request.query_params.get("to"))
    return JSONResponse({"mails": [mail.listed() for mail in found]}, headers=GUARDS)


async def api_show(request: Request) -> Response:
    mail = _box(request).find(request.path_params["id"])
    if mail is None:
        return JSONResponse({"detail": "no such mail"}, status_code=404)
    return JSONResponse(mail.whole(), headers=GUARDS)


async def api_clear(request: Request) -> Response:
    _box(request).empty()
    return Response(status_code=204)


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def application(box: Mailbox, hosts: list[str]) -> Starlette:
    """`hosts` are the names it answers to: another site that points its name at us reads nothing."""
    app = Starlette(
        routes=[
            Route("/", index),
            Route("/clear", clear, methods=["POST"]),
            Route("/mails/{id}", show),
            Route("/mails/{id}/html", show_html),
            Route("/api/mails", api_list),
            Route("/api/mails", api_clear, methods=["DELETE"]),
            Route("/api/mails/{id}", api_show),
            Route("/health", health),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )
    app.state.box = box
    return app


class _PageServer(uvicorn.Server):
    """Leaves the signals to `serve`. Serves until `end` is set, without uvicorn's ten looks a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.end = asyncio.Event()

    async def main_loop(self) -> None:
        await self.end.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(smtp: socket.socket, page: socket.socket, hosts: list[str]) -> None:
    """Serves mail and page on two listening sockets, until SIGTERM or SIGINT."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    catching = await loop.create_server(
        lambda: SMTP(box, data_size_limit=LARGEST, enable_SMTPUTF8=True, ident="aero2"), sock=smtp
    )
    config = uvicorn.Config(
        application(box, hosts),
        log_config=None,
        access_log=False,
        lifespan="off",
        date_header=False,
    )
    server = _PageServer(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.end.set)
    async with catching:
        await server.serve(sockets=[page])


def listening(host: str, port: int, fd: str | None) -> socket.socket:
    """Returns the socket that our parent opened for us, or one of our own."""
    if fd is not None:
        return socket.socket(fileno=int(fd))
    try:
        return listener(host, port)
    except OSError as error:
        sys.exit(f"mail: cannot listen on {host}:{port}: {error.strerror}.")


def main() -> None:
    """Catch mail over SMTP and show it on a page. Delivers nothing."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="aero2.mailcatcher", description=main.__doc__)
    parser.add_argument("--host", default=env.get("AERO2_MAIL_HOST", "127.0.0.1"))
    parser.add_argument("--smtp-port", type=int, default=env.get("AERO2_MAIL_SMTP_PORT", 1025))
    parser.add_argument("--page-port", type=int, default=env.get("AERO2_MAIL_PAGE_PORT", 8025))
    parser.add_argument(
        "--names",
        default=env.get("AERO2_MAIL_NAMES", "localhost,127.0.0.1,[::1]"),
        help="host names that the page answers to, by comma",
    )
    options = parser.parse_args()
    os.umask(0o077)
    logs.configure("mail", "warning")
    crash_lines.install()
    smtp = listening(options.host, options.smtp_port, env.get("AERO2_MAIL_SMTP_FD"))
    page = listening(options.host, options.page_port, env.get("AERO2_MAIL_PAGE_FD"))
    asyncio.run(serve(smtp, page, options.names.split(",")))


if __name__ == "__main__":
    main()
