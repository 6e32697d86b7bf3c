"""Outgoing requests are checked, follow no redirects or proxies, and have limits of time and size."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kit.certificates import certified

from common import pinned_http
from common.egress import Egress
from common.outgoing_http import OutgoingHttp, Unreachable

DEVELOPMENT = OutgoingHttp(Egress(private=True))


@asynccontextmanager
async def answering(
    answer: bytes, *, silent: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """Runs a server on this machine. Yields its port and the heads of the received requests."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        if silent:
            await reader.read()  # until the client disconnects
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], heads


@pytest.mark.parametrize(
    "url",
    [
        "https://rp.example.com:99999/out",
        "https://rp.example.com/\x7f",
        "https://[::1/out",
        "https://" + "a" * 70 + ".example/out",
        "https://user:pass@rp.example.com/out",
        "file:///etc/passwd",
        "https:///out",
        "nonsense",
        "",
    ],
)
async def test_no_url_is_more_than_unreachable(url: str) -> None:
    """Any stored URL can at worst be unreachable."""
    with pytest.raises(Unreachable):
        await DEVELOPMENT.request("GET", url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0x7f000001",
        "0177.0.0.1", "127.1",
    ],
)  # fmt: skip
async def test_no_spelling_of_an_inner_host_is_called(host: str) -> None:
    """A denied address is refused before any connection."""
    async with answering(b"HTTP/1.1 200 X\r\n\r\n") as (port, heads):
        with pytest.raises(Unreachable, match=r"not called|no address|not a URL"):
            await OutgoingHttp().request("GET", f"https://{host}:{port}/")

    assert heads == []


async def test_plain_http_is_for_development() -> None:
    """Outside of development only https is allowed."""
    with pytest.raises(Unreachable, match="only https"):
        await OutgoingHttp().request("GET", "http://93.184.216.34/")


async def test_the_checked_address_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name is resolved once, so a later change of the DNS has no effect. One private address
    among public ones is refused."""
    lookups: list[str] = []
    addresses = ["127.0.0.1"]

    async def resolve(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    async with answering(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}") as (port, heads):
        with monkeypatch.context() as patch:
            patch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", resolve)
            answer = await DEVELOPMENT.request("GET", f"http://rp.example.com:{port}/")
            addresses = ["93.184.216.34", "127.0.0.1"]
            with pytest.raises(Unreachable, match=r"rp\.example\.com: .* not called"):
                await OutgoingHttp().request("GET", f"https://rp.example.com:{port}/")

    assert (answer.status, answer.json()) == (200, {})
    assert [name for name in lookups if name == "rp.example.com"] == ["rp.example.com"] * 2
    assert len(heads) == 1
    assert f"host: rp.example.com:{port}\r\n" in heads[0]


async def test_redirects_are_answers() -> None:
    """A redirect is returned and not followed."""
    redirect = b"HTTP/1.1 302 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    async with answering(redirect) as (port, heads):
        answer = await DEVELOPMENT.request("GET", f"http://127.0.0.1:{port}/")

    assert answer.status == 302
    assert len(heads) == 1


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect to an address that was not checked."""
    async with (
        answering(b"HTTP/1.1 502 X\r\ncontent-length: 0\r\n\r\n") as (proxy, through),
        answering(b"HTTP/1.1 204 X\r\n\r\n") as (port, _),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        answer = await DEVELOPMENT.request("GET", f"http://127.0.0.1:{port}/")

    assert answer.status == 204
    assert through == []


async def test_the_deadline_is_for_all_of_it() -> None:
    """A request to a server that never finishes ends at its deadline."""
    async with answering(b"", silent=True) as (port, heads):
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1: no answer within 0\.5 s"):
            await DEVELOPMENT.request("GET", f"http://127.0.0.1:{port}/", deadline=0.5)

    assert len(heads) == 1


PACKED = gzip.compress(b"0" * 5_000_000)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (b"HTTP/1.1 200 X\r\n\r\n" + b"0" * 1_000_001, None),
        (b"HTTP/1.1 200 X\r\n\r\n" + b"0" * 1_000_000, lambda body: len(body) == 1_000_000),
        (
            b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\n\r\n" + PACKED,
            lambda body: body == PACKED,
        ),
    ],
    ids=["too large", "as large as allowed", "packed"],
)
async def test_a_large_answer_is_not_read(
    answer: bytes, right: Callable[[bytes], bool] | None
) -> None:
    """A large response is not read, and a compressed one is not unpacked."""
    async with answering(answer) as (port, _):
        if right is None:
            with pytest.raises(Unreachable, match="more than 1000000 bytes"):
                await DEVELOPMENT.request("GET", f"http://127.0.0.1:{port}/")
        else:
            found = await DEVELOPMENT.request("GET", f"http://127.0.0.1:{port}/")
            assert right(found.body)


async def test_a_company_has_authorities_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an authority in SSL_CERT_FILE is accepted. For any other the error names the
    problem."""
    pem, tls = certified(tmp_path)
    async with answering(b"HTTP/1.1 204 X\r\n\r\n", tls=tls) as (port, _):
        url = f"https://localhost:{port}/"
        pinned_http.authorities.cache_clear()
        with pytest.raises(Unreachable, match=r"localhost: .*CERTIFICATE_VERIFY_FAILED"):
            await DEVELOPMENT.request("GET", url)
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        pinned_http.authorities.cache_clear()
        assert (await DEVELOPMENT.request("GET", url)).status == 204
    monkeypatch.undo()
    pinned_http.authorities.cache_clear()
