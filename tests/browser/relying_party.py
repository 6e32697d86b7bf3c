"""A website of another origin whose users sign in, built with Authlib and Starlette.

It is the program of docs/first-product.md with some more pages.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

import uvicorn
from authlib.integrations.starlette_client import OAuth, OAuthError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.kit.system import Loopback, System

PAGE = "<!doctype html><html lang=en><link rel=icon href=data:,><title>Site</title><main>{}</main>"


@dataclass
class Website:
    """A website. `/login` accepts more parameters of the authorization request, and `/leave` signs
    out by a form."""

    name: str
    client_id: str
    url: str
    issuer: str

    @property
    def login(self) -> str:
        return f"{self.url}/login"


@asynccontextmanager
async def website(system: System, name: str, *, first_party: bool) -> AsyncIterator[Website]:
    """Registers a client at the demo application and serves its website."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    fields = {
        "name": name,
        "redirect_uris": [f"{url}/callback"],
        "post_logout_redirect_uris": [f"{url}/"],
        "first_party": first_party,
    }
    async with system.backend() as http:
        answer = await http.post("/api/clients", json=fields)
    assert answer.status_code == 201, answer.text
    client = answer.json()
    site = Website(name, client["client_id"], url, system.origin("demo"))
    config = uvicorn.Config(_app(site, client["client_secret"]), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield site
    server.should_exit = True
    await serving


def _app(site: Website, secret: str) -> Starlette:
    oauth = OAuth()
    oauth.register(
        "aero2",
        client_id=site.client_id,
        client_secret=secret,
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "transport": Loopback(),
        },
        server_metadata_url=f"{site.issuer}/.well-known/openid-configuration",
    )

    async def home(request: Request) -> Response:
        email = request.session.get("email")
        if email is None:
            return HTMLResponse(PAGE.format('<a href="/login">Sign in</a>'))
        button = '<form method="post" action="/logout"><button>Sign out</button></form>'
        return HTMLResponse(PAGE.format(f"Signed in as {escape(email)}. {button}"))

    async def login(request: Request) -> Response:
        request.session.clear()
        more = dict(request.query_params)
        answer: Response = await oauth.aero2.authorize_redirect(
            request, f"{site.url}/callback", **more
        )
        return answer

    async def callback(request: Request) -> Response:
        try:
            token = await oauth.aero2.authorize_access_token(request)
        except OAuthError as error:
            if "email" in request.session:
                return RedirectResponse("/")
            again = '<a href="/login">Try again</a>'
            return HTMLResponse(PAGE.format(f"Not signed in: {escape(error.error)}. {again}"))
        request.session.update(email=token["userinfo"]["email"], id_token=token["id_token"])
        return RedirectResponse("/")

    async def logout(request: Request) -> Response:
        back = {
            "id_token_hint": request.session.get("id_token", ""),
            "post_logout_redirect_uri": f"{site.url}/",
        }
        request.session.clear()
        return RedirectResponse(f"{site.issuer}/oauth2/logout?{urlencode(back)}", 303)

    async def leave(request: Request) -> Response:
        """Sends no hint, so that the user has to confirm."""
        fields = f"""<input name="client_id" value="{site.client_id}">
            <input name="post_logout_redirect_uri" value="{site.url}/">"""
        form = f'<form method="post" action="{site.issuer}/oauth2/logout">{fields}<button>Leave</button></form>'
        return HTMLResponse(PAGE.format(form))

    routes = [
        Route("/", home),
        Route("/login", login),
        Route("/callback", callback),
        Route("/logout", logout, methods=["POST"]),
        Route("/leave", leave),
    ]
    session = Middleware(
        SessionMiddleware,
        secret_key=secrets.token_hex(),
        session_cookie=f"site-{site.name.lower()}",
    )
    return Starlette(routes=routes, middleware=[session])
