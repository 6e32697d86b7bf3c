"""One application uses the most expensive hashes, schema and template that are accepted, while
users of another one sign in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count, takewhile
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from tests.kit.system import PASSWORD, System, fresh_email
from tests.unit.identity.test_hashing import WORST

from common.contracts.mail_templates import TemplateInvalid, TemplateText
from common.contracts.settings_change import SettingsChange
from identity import mail_template_check

pytestmark = pytest.mark.timeout(300)

HASHES = [accepted for accepted, _ in WORST.values()]
AT_ONCE = 2
"""The number of simultaneous uses of each input."""
SIGN_INS = 6
"""The number of sign-ins to the other application, one after the other."""


def schema_of(levels: int) -> dict[str, Any]:
    """Returns a schema that evaluates every item 2^levels times and never matches."""
    defs: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {
        "$defs": {**defs, f"d{levels}": {"required": ["nope"]}},
        "properties": {"a": {"items": {"$ref": "#/$defs/d0"}}},
    }


def template_of(parts: int) -> TemplateText:
    text = "{{ code }}" + "{{ name|title|upper|lower|title|upper|lower|title|upper|lower }}" * parts
    return TemplateText(subject="Hello", text=text, html=text)


def last_accepted(accepts: Callable[[int], bool]) -> int:
    return max(takewhile(accepts, count(1)))


def worst_schema() -> dict[str, Any]:
    def accepts(levels: int) -> bool:
        try:
            SettingsChange(user_metadata_schema=schema_of(levels))
        except ValidationError:
            return False
        return True

    return schema_of(last_accepted(accepts))


def worst_template() -> TemplateText:
    def accepts(parts: int) -> bool:
        try:
            mail_template_check.check("sign_in", template_of(parts))
        except TemplateInvalid:
            return False
        return True

    return template_of(last_accepted(accepts))


async def application(system: System) -> tuple[str, dict[str, str]]:
    """Returns the slug of a new application and the header of its secret key."""
    operator = {"authorization": f"Bearer {system.deployment.operator_key()}"}
    async with system.http("dashboard", headers=operator) as http:
        made = await http.post("/api/applications", json={"name": "Worst"})
        assert made.status_code == 201, made.text
        slug: str = made.json()["slug"]
        while (await http.get(f"/api/applications/{slug}")).json()["state"] != "active":
            await asyncio.sleep(0.1)
    [key] = [one["key"] for one in made.json()["api_keys"] if one["key"].startswith("sk_")]
    return slug, {"authorization": f"Bearer {key}"}


async def stored(backend: httpx.AsyncClient) -> list[str]:
    """Stores a user for each hash, the schema and the template, and returns the addresses of the
    users."""
    emails = [fresh_email("worst") for _ in HASHES]
    lines = [
        {"email": email, "password_hash": one} for email, one in zip(emails, HASHES, strict=True)
    ]
    arrived = (await backend.post("/api/users/import", json={"users": lines})).json()["arrivals"]
    assert {line["status"] for line in arrived} == {"created"}, arrived
    schema = {"user_metadata_schema": worst_schema()}
    template = worst_template().model_dump()
    for path, value in (("settings", schema), ("mail-templates/sign_in/en", template)):
        answer = await backend.put(f"/api/{path}", json=value)
        assert answer.status_code == 200, answer.text
    return emails


def uses(
    backend: httpx.AsyncClient, browser: httpx.AsyncClient, user: str, emails: list[str]
) -> Iterator[Any]:
    items: dict[str, Any] = {"user_metadata": {"a": [{}] * 5000}}
    for _ in range(AT_ONCE):
        yield backend.put(f"/api/users/{user}", json=items)
        yield backend.post("/api/mail-templates/sign_in/en/preview", json={})
        for email in emails:
            yield browser.post("/api/auth/signin", json={"email": email, "password": "wrong"})


async def test_the_worst_input_of_one_application_leaves_another_alone(system: System) -> None:
    """Sign-ins to the other application end while that work still runs. Some of the work is refused
    or misses its deadline, and its application works afterwards."""
    slug, key = await application(system)
    person, own = fresh_email(), fresh_email()
    async with (
        system.backend() as demo,
        system.http() as visitor,
        system.http(slug, headers=key, timeout=60) as backend,
        system.http(slug, headers={"origin": system.origin(slug)}, timeout=60) as browser,
    ):
        emails = await stored(backend)
        for http, email in ((demo, person), (backend, own)):
            new = {"email": email, "email_verified": True, "password": PASSWORD}
            made = await http.post("/api/users", json=new)
            assert made.status_code == 201, made.text
        user = made.json()["id"]
        visitor.headers["origin"] = system.origin("demo")

        storm = asyncio.gather(*uses(backend, browser, user, emails))
        await asyncio.sleep(0)
        signed = [
            await visitor.post("/api/auth/signin", json={"email": person, "password": PASSWORD})
            for _ in range(SIGN_INS)
        ]
        still_at_work = not storm.done()
        answers = await storm
        after = await browser.post("/api/auth/signin", json={"email": own, "password": PASSWORD})

    assert [answer.status_code for answer in signed] == [200] * SIGN_INS
    assert still_at_work
    assert {answer.status_code for answer in answers} <= {200, 202, 401, 422, 429, 503, 504}
    assert after.status_code == 200
