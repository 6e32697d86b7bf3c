"""The mail catcher as its own process, fed by a real SMTP client."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from aero2 import mailbox
from aero2.embedded.ports import listener
from aero2.mailbox import MAX_BYTES, MAX_MAILS, Mailbox, caught


def free_port() -> int:
    with listener("127.0.0.1", 0) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """SMTP and page."""
    smtp, page = free_port(), free_port()
    arguments = ["--smtp-port", str(smtp), "--page-port", str(page)]
    process = subprocess.Popen([sys.executable, "-m", "aero2.mailcatcher", *arguments])
    ends = time.monotonic() + 20
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{page}/health").status_code == 200:
                break
        except httpx.TransportError:
            assert time.monotonic() < ends
            time.sleep(0.05)
    yield smtp, page
    process.terminate()
    assert process.wait(5) == 0


@pytest.fixture
def page(ports: tuple[int, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[1]}") as client:
        client.delete("/api/mails")
        yield client


def send(ports: tuple[int, int], *, to: str = "a@example.com", subject: str = "Hello") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "no-reply@localhost", to, subject
    mail.set_content("Your code is 123456.\nhttp://demo.localhost:8080/link?a=1&b=2.\n<b>&")
    mail.add_alternative(
        '<p>Code <b>123456</b></p><script>alert(1)</script><a href="http://demo.localhost:8080/link?a=1&amp;b=2">Go</a>',
        subtype="html",
    )
    with smtplib.SMTP("127.0.0.1", ports[0], timeout=5) as smtp:
        smtp.send_message(mail)


def test_a_mail_is_there_to_read(ports: tuple[int, int], page: httpx.Client) -> None:
    """A received mail is listed and readable: text, HTML, and links without the full stop behind
    them."""
    send(ports)
    listed = page.get("/api/mails").json()["mails"]
    mail = page.get(f"/api/mails/{listed[0]['id']}").json()

    assert [one["subject"] for one in listed] == ["Hello"]
    assert mail["to"] == ["a@example.com"]
    assert "123456" in mail["text"]
    assert mail["links"] == ["http://demo.localhost:8080/link?a=1&b=2"]


def test_mails_of_one_address(ports: tuple[int, int], page: httpx.Client) -> None:
    """`?to=` finds an address however it is written, newest first."""
    send(ports, to="A@example.com", subject="one")
    send(ports, to="b@example.com", subject="two")
    send(ports, to="a@example.com", subject="three")

    found = page.get("/api/mails", params={"to": "a@EXAMPLE.com"}).json()["mails"]

    assert [mail["subject"] for mail in found] == ["three", "one"]


def test_the_page_runs_nothing_of_the_mail(ports: tuple[int, int], page: httpx.Client) -> None:
    """Text is escaped and its links work. The HTML part is in a sandbox without scripts."""
    send(ports, subject="<script>alert(1)</script>")
    id = page.get("/api/mails").json()["mails"][0]["id"]
    shown, part = page.get(f"/mails/{id}"), page.get(f"/mails/{id}/html")

    assert "<script>" not in shown.text
    assert "<script>" not in page.get("/").text
    assert '<a href="http://demo.localhost:8080/link?a=1&amp;b=2" target="_blank"' in shown.text
    assert 'sandbox="allow-popups' in shown.text
    assert "allow-scripts" not in shown.text
    policy = part.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_another_sites_name_reads_nothing(ports: tuple[int, int]) -> None:
    """A foreign name that points to loopback (DNS rebinding) is refused."""
    answer = httpx.get(f"http://127.0.0.1:{ports[1]}/api/mails", headers={"Host": "evil.example"})

    assert answer.status_code == 400


def test_another_site_cannot_delete(page: httpx.Client) -> None:
    """The form works only from its own page."""
    assert page.post("/clear", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert page.post("/clear", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_a_huge_mail_is_refused(ports: tuple[int, int]) -> None:
    """More than the limit is answered 552 and not kept."""
    with smtplib.SMTP("127.0.0.1", ports[0], timeout=5) as smtp:
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            smtp.sendmail("a@localhost", ["b@localhost"], b"x: y\r\n\r\n" + b"a" * 3_000_000)

    assert refused.value.smtp_code == 552


def test_memory_is_bounded() -> None:
    """The oldest mails are deleted above a number and a size."""
    many, large = Mailbox(), Mailbox()
    for number in range(MAX_MAILS + 10):
        many.put(caught(f"Subject: {number}\r\n\r\nx".encode(), sender="a", to=["b"]))
    for _ in range(40):
        large.put(caught(b"Subject: x\r\n\r\n" + b"a" * 1_000_000, sender="a", to=["b"]))

    assert len(many.mails) == MAX_MAILS
    assert many.mails[0].subject == "10"
    assert large.size <= MAX_BYTES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xe4",
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\n",
        b"Subject: =?utf-8?q?=ff?=\r\nTo: <<>>,,;\r\nContent-Transfer-Encoding: base64\r\n\r\n!",
    ],
)
def test_any_bytes_are_shown_somehow(content: bytes) -> None:
    """A malformed mail is kept like any other, and can be looked at."""
    mail = caught(content, sender="a", to=["b"])
    assert mail.size == len(content)
    assert mail.whole().keys() >= {"subject", "text", "headers", "links"}


def test_a_mail_is_parsed_when_somebody_looks_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it comes: parsing costs more than catching. Then it is parsed once."""
    parsed: list[bytes] = []

    def parse(content: bytes, **options: Any) -> Any:
        parsed.append(content)
        return message_from_bytes(content, **options)

    monkeypatch.setattr(mailbox, "message_from_bytes", parse)
    box = Mailbox()
    box.put(caught(b"Subject: one\r\n\r\nx", sender="a", to=["b"]))
    assert parsed == []
    assert [mail.whole()["subject"] for mail in (*box.newest(), *box.newest())] == ["one", "one"]
    assert len(parsed) == 1
