"""The whole product, started once for a test session in the shape that `--shape` names.

async def test_x(system: System) -> None:
    ada = await system.sign_up("demo", "ada@example.com", "a long password")
    page = await ada.get("/account")
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import nats
from nats.aio.client import Client
from tests.kit import deployments
from tests.kit.deployments import Deployment, Shape
from tests.kit.nats_server import PATIENCE

from aero2 import nats_access
from common.events.base import AuditEvent

PASSWORD = "six unusual otters juggle"


class Loopback(httpx.AsyncHTTPTransport):
    """Every name is this machine's: `demo.localhost` needs no resolver. The Host header stays."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        here = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(here)  # cookies stay with the name asked for


@dataclass
class Form:
    """A form of a page: where it goes and what it holds."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    offered: list[str] = field(default_factory=list)


class Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "form":
            self.found.append(Form(known.get("action") or "", known.get("method") or "get"))
        elif tag in ("input", "button", "select", "textarea") and self.found:
            name = known.get("name")
            if name:
                self.found[-1].offered.append(name)
                if tag == "input" and known.get("type") != "checkbox":
                    self.found[-1].fields[name] = known.get("value") or ""


@dataclass
class Page:
    """What a browser shows, or the address on another site it was sent to."""

    url: str
    response: httpx.Response
    away: bool = False

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def forms(self) -> list[Form]:
        parser = Forms()
        parser.feed(self.text)
        return parser.found

    def form(self, *names: str, action: str = "") -> Form:
        """The form that offers these fields."""
        for form in self.forms:
            if set(names) <= set(form.offered) and action in form.action:
                return form
        raise AssertionError(f"{self.url}: no form with {names} in {self.text[:3000]}")


@dataclass
class Browser:
    """A person's browser without scripts: cookies, redirects, forms."""

    system: System
    origin: str
    http: httpx.AsyncClient

    async def get(self, url: str) -> Page:
        return await self._follow("GET", urljoin(self.origin, url))

    async def submit(self, page: Page, form: Form | None = None, **fields: str) -> Page:
        form = form or page.form(*fields)
        return await self._follow(
            form.method.upper(), urljoin(page.url, form.action), form.fields | fields, page.url
        )

    async def _follow(
        self, method: str, url: str, fields: dict[str, str] | None = None, referer: str = ""
    ) -> Page:
        for _ in range(15):
            if not self._ours(url):
                return Page(url, httpx.Response(200), away=True)
            headers = {"accept": "text/html"}
            if method == "POST":
                parts = urlsplit(referer or url)
                headers |= {"origin": f"{parts.scheme}://{parts.netloc}", "referer": referer}
            response = await self.http.request(
                method,
                url,
                headers=headers,
                data=fields if method == "POST" else None,
                params=fields if method == "GET" and fields else None,
            )
            if not response.is_redirect:
                assert response.status_code < 500, response.text
                return Page(url, response)
            url = urljoin(url, response.headers["location"])
            method, fields = "GET", None
        raise AssertionError(f"too many redirects, last to {url}")

    def _ours(self, url: str) -> bool:
        host = urlsplit(url).netloc
        return host.endswith(self.system.domain)

    async def sign_up(self, email: str, password: str, *, first: str = "/signup") -> Page:
        """Through the pages, with the code from the mail."""
        page = await self.get(first)
        if "/signup" not in page.url:
            link = re.search(r'href="(/signup[^"]*)"', page.text)
            assert link is not None, page.text
            page = await self.get(link.group(1).replace("&amp;", "&"))
        page = await self.submit(
            page, page.form("email", "password"), email=email, password=password
        )
        code = await self.system.mailed_code(email)
        return await self.submit(page, page.form("code"), code=code)

    async def sign_in(self, email: str, password: str, *, first: str | Page = "/login") -> Page:
        """Through the pages: the address, then the password."""
        page = await self.get(first) if isinstance(first, str) else first
        page = await self.submit(page, page.form("email"), email=email)
        return await self.submit(page, page.form("password"), password=password)


@dataclass
class System:
    """One running platform, in any shape, and ways to use it."""

    deployment: Deployment

    @classmethod
    def start(
        cls, shape: Shape, folder: Path, *, limit_scale: str = "1000", homes: int = 1
    ) -> System:
        return cls(deployments.start(shape, folder, limit_scale=limit_scale, homes=homes))

    def stop(self) -> None:
        self.deployment.end()

    @property
    def summary(self) -> dict[str, Any]:
        return self.deployment.summary

    @property
    def domain(self) -> str:
        domain: str = self.summary["domain"]
        return domain

    @property
    def demo(self) -> dict[str, str]:
        demo: dict[str, str] = self.summary["demo"]
        return demo

    def origin(self, slug: str) -> str:
        return f"http://{slug}.{self.domain}"

    def http(self, slug: str = "demo", **options: Any) -> httpx.AsyncClient:
        """A client of an application's host; close it, or use it in `async with`."""
        settings: dict[str, Any] = {"base_url": self.origin(slug), "timeout": 15}
        return httpx.AsyncClient(transport=Loopback(), **(settings | options))

    def backend(self, **options: Any) -> httpx.AsyncClient:
        """The demo's own backend, with its secret key."""
        headers = {"authorization": f"Bearer {self.demo['secret_key']}"}
        return self.http("demo", headers=headers, **options)

    @asynccontextmanager
    async def browser(self, slug: str = "demo") -> AsyncIterator[Browser]:
        async with self.http(slug) as http:
            yield Browser(self, self.origin(slug), http)

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Client]:
        """NATS as the command line's user, who may read the stream."""
        url, password = self.deployment.nats()
        nc = await nats.connect(
            url.split(","),
            tls=self.deployment.nats_tls(),
            user=nats_access.CLI,
            password=password,
            inbox_prefix=nats_access.inbox(nats_access.CLI).encode(),
        )
        try:
            yield nc
        finally:
            await nc.close()

    async def streamed(
        self, app_id: str, *, until: set[str], user_id: str, within: float = PATIENCE
    ) -> list[AuditEvent]:
        """The user's events on the stream until there is one of each of these types. Activity comes in
        batches, so it may come after records that are younger."""
        async with self.bus() as nc:
            js = nc.jetstream()
            sub = await js.subscribe(f"audit.*.{app_id}.>", stream="AUDIT", ordered_consumer=True)
            found: list[AuditEvent] = []
            ends = time.monotonic() + within
            while time.monotonic() < ends:
                try:
                    message = await sub.next_msg(timeout=0.5)
                except nats.errors.TimeoutError:
                    continue
                lines = message.data.split(b"\n")  # activity comes several in one message
                events = [AuditEvent.model_validate_json(line) for line in lines]
                found += [event for event in events if event.user_id == user_id]
                if until <= {event.event_type for event in found}:
                    return found
        raise AssertionError(f"{until} are not all among {[event.event_type for event in found]}")

    async def mails(self, to: str) -> list[dict[str, Any]]:
        """Mails to an address, newest first."""
        async with httpx.AsyncClient(transport=Loopback()) as http:
            found = await http.get(f"{self.summary['mail_url']}/api/mails", params={"to": to})
            wholes = [
                await http.get(f"{self.summary['mail_url']}/api/mails/{mail['id']}")
                for mail in found.json()["mails"]
            ]
        return [whole.json() for whole in wholes]

    async def mailed_code(self, to: str, *, earlier: int = 0) -> str:
        """The code in the newest mail to an address, as soon as there are more mails than `earlier`."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            mails = await self.mails(to)
            for mail in mails[: len(mails) - earlier]:
                code = re.search(r"\b(\d{3}[ -]?\d{3})\b", mail["subject"] + "\n" + mail["text"])
                if code is not None:
                    return re.sub(r"\D", "", code.group(1))
            await asyncio.sleep(0.05)
        raise AssertionError(f"no mail with a code to {to}")


def fresh_email(name: str = "ada") -> str:
    return f"{name}-{secrets.token_hex(4)}@example.com"
