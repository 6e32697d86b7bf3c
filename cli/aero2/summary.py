"""The summary of `aero2 up`, when all is running: for people, and as JSON for programs."""

from __future__ import annotations

import asyncio
import shlex
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from aero2 import localhost_names
from aero2.demo import Demo
from aero2.demo_provider import DemoProvider


@dataclass(frozen=True)
class Summary:
    """`domain` is the apex with its port where that is not the default."""

    dashboard_url: str
    owner_link: str | None
    """None where the deployment has an operator."""
    mail_url: str | None
    """None where mail leaves through a server of the operator's."""
    domain: str
    demo: Demo
    port: int
    folder: Path
    acme: DemoProvider | None = None
    """The demo's identity provider."""
    ca: Path | None = None
    """The authority to trust, where there is TLS."""

    def as_json(self) -> dict[str, Any]:
        demo = asdict(self.demo)
        for own in ("user", "user_password"):
            del demo[own]
        return {
            "dashboard_url": self.dashboard_url,
            "owner_link": self.owner_link,
            "mail_url": self.mail_url,
            "domain": self.domain,
            "demo": demo,
        }

    async def show(self, console: Console, *, took: float) -> None:
        await _show(console, self, took=took)


def curl(demo: Demo, ca: Path | None = None) -> str:
    """Returns a command that gets a token for the demo client from the demo's own issuer."""
    return (
        f"curl {_trusting(ca)}-u {demo.client_id}:{demo.client_secret} "
        f"-d grant_type=client_credentials {demo.url}/oauth2/token"
    )


def curl_api(demo: Demo, ca: Path | None = None) -> str:
    """Returns a command that lists the demo's users, as its backend would."""
    return f'curl {_trusting(ca)}-H "Authorization: Bearer {demo.secret_key}" {demo.url}/api/users'


RUN_FASTAPI: Final = "pip install fastapi uvicorn 'pyjwt[crypto]' && uvicorn main:app --port 8001"


def _trusting(ca: Path | None) -> str:
    return f"--cacert {shlex.quote(str(ca))} " if ca else ""


def fastapi(demo: Demo, address: str, host: str | None) -> str:
    """Returns six lines that accept access tokens of the demo application. `host` is sent if this
    machine's resolver does not know the demo's name."""
    headers = f', headers={{"Host": "{host}"}}' if host else ""
    return f"""\
import jwt; from fastapi import Depends, FastAPI; from fastapi.security import HTTPBearer
app, keys = FastAPI(), jwt.PyJWKClient("{address}/oauth2/jwks.json"{headers})
@app.get("/hello")
def hello(bearer=Depends(HTTPBearer())):
    token, key = bearer.credentials, keys.get_signing_key_from_jwt(bearer.credentials)
    return jwt.decode(token, key, ["ES256"], issuer="{demo.url}", options={{"verify_aud": False}})"""


async def reachable(demo: Demo, port: int) -> tuple[str, str | None]:
    """Returns how Python on this machine reaches the demo. Browsers and curl know that *.localhost
    is this machine; many resolvers do not."""
    try:
        await asyncio.get_running_loop().getaddrinfo(demo.host.split(":")[0], port)
    except socket.gaierror:
        return f"{demo.url.split(':')[0]}://127.0.0.1:{port}", demo.host
    return demo.url, None


async def _show(console: Console, summary: Summary, *, took: float) -> None:
    """A page at the terminal. Nothing is wrapped or framed, so that everything can be copied."""
    demo, ca = summary.demo, summary.ca
    console.rule(f"[bold green]Aero2 is running[/] [dim]({took:.1f} s)[/]", align="left")
    for name, value in {
        "Dashboard": summary.dashboard_url,
        "Owner link": summary.owner_link or "there is an operator; another: aero2 owner-link",
        "Mail": summary.mail_url or "sent through AERO2_SMTP_URL",
        "Demo application": demo.url,
        "Demo user": f"{demo.user}  password {demo.user_password or 'changed since'}",
        **_provider_lines(summary.acme),
        "Publishable key": demo.publishable_key,
        "Secret key": demo.secret_key,
        "Client id": demo.client_id,
        "Client secret": demo.client_secret,
    }.items():
        console.print(Text(f"{name:18}", style="dim") + Text(value), soft_wrap=True)
    console.print()
    await _show_snippets(console, summary)
    apex = summary.domain.partition(":")[0]
    hosts = [demo.host, f"dashboard.{apex}"]
    if names := await asyncio.to_thread(localhost_names.unresolved_names, hosts):
        _copyable(
            console,
            localhost_names.HELP.format(names=" and ".join(names)),
            localhost_names.hosts_file_command(names),
        )
    if ca is not None:
        _copyable(
            console,
            "The authority that Python and others are to trust:",
            f"export SSL_CERT_FILE={shlex.quote(str(ca))}",
        )
    console.print(
        f"Data and secrets: {summary.folder}   Logs: {summary.folder / 'logs'} (aero2 logs)   "
        "Ctrl-C stops everything.",
        style="dim",
        soft_wrap=True,
    )


def _provider_lines(acme: DemoProvider | None) -> dict[str, str]:
    if acme is None:
        return {}
    return {
        "Sign-in with Acme": f"{acme.demo_url}/login  and choose Acme, another demo application",
        "Acme user": f"{acme.user}  password {acme.user_password or 'changed since'}",
    }


async def _show_snippets(console: Console, summary: Summary) -> None:
    """Shows commands and a program that work when pasted."""
    demo, ca = summary.demo, summary.ca
    if summary.owner_link:
        console.print(
            "The owner link works once and makes you this deployment's operator.", style="dim"
        )
    if summary.mail_url:
        console.print("Every mail that Aero2 sends can be read at the mail address.", style="dim")
    console.print()
    _copyable(console, "A token for the demo client:", curl(demo, ca))
    _copyable(console, "The demo's users, as your backend asks:", curl_api(demo, ca))
    _copyable(
        console,
        "An API that takes the demo's tokens (main.py; it needs the packages of the next line):",
        fastapi(demo, *await reachable(demo, summary.port)),
    )
    _copyable(console, "Its packages, and a start:", RUN_FASTAPI)


def _copyable(console: Console, what: str, text: str) -> None:
    console.print(what, style="bold")
    console.print(Text(text), soft_wrap=True)
    console.print()
