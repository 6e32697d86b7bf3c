"""The first steps with an application. Each is done when its fact is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from common.contracts.clients import ListClients
from common.contracts.domains import ListCustomDomains
from common.contracts.identity_providers import ListIdentityProviders
from common.contracts.mail_sender import GetMailSender, MailSenderNotFound
from common.contracts.users import ListUsers
from common.message_ids import N_
from gateway.dashboard import rooms
from gateway.dashboard.light_replies import ListedClients, ProviderChoices
from gateway.dashboard.visit import Visit

Fact = Callable[[Visit], Awaitable[bool]]
STEP_EVENTS: Final = frozenset(
    {
        "user_created",
        "client_created",
        "idp_created",
        "custom_domain_verified",
        "mail_sender_changed",
    }
)
"""The types of events with which a step may be done."""


@dataclass(frozen=True)
class Step:
    """A step. `path` is where the developer takes it; empty for the page itself. `needs` is the
    permission to see the fact."""

    text: str
    hint: str
    needs: str
    path: str = ""


@dataclass(frozen=True)
class StepState:
    """A step, and whether it is done. `is_next`: it is the first that is not."""

    step: Step
    done: bool
    is_next: bool = False

    @property
    def path(self) -> str:
        """The path of the room in which the step is taken; empty if there is none."""
        return self.step.path if self.step.path in rooms.PATHS else ""


async def _has_user(visit: Visit) -> bool:
    return bool((await visit.call(ListUsers(limit=1))).users)


async def _has_client(visit: Visit) -> bool:
    return bool((await visit.read(ListClients(limit=1), ListedClients)).clients)


async def _has_provider(visit: Visit) -> bool:
    return bool((await visit.read(ListIdentityProviders(), ProviderChoices)).idps)


async def _has_domain(visit: Visit) -> bool:
    domains = (await visit.call(ListCustomDomains())).domains
    return any(domain.verified for domain in domains)


async def _has_mail_server(visit: Visit) -> bool:
    try:
        await visit.call(GetMailSender())
    except MailSenderNotFound:
        return False
    return True


STEPS: Final[tuple[tuple[Step, Fact], ...]] = (
    (
        Step(
            N_("First user"),
            N_("Open the sign-in page, and sign up there with an address of your own."),
            "users:read",
        ),
        _has_user,
    ),
    (
        Step(
            N_("First OAuth client"),
            N_("Choose your language, and create the client for its snippet."),
            "clients:read",
        ),
        _has_client,
    ),
    (
        Step(
            N_("First identity provider"),
            N_("Let users sign in with an account that they have, like Google or GitHub."),
            "idps:read",
            "/providers",
        ),
        _has_provider,
    ),
    (
        Step(
            N_("Your own domain"),
            N_("Let the sign-in page answer on a domain of yours."),
            "domains:read",
            "/domains",
        ),
        _has_domain,
    ),
    (
        Step(
            N_("Your own mail server"),
            N_("Send mails from an address of yours."),
            "settings:read",
            "/mail-sender",
        ),
        _has_mail_server,
    ),
)


async def read_facts(visit: Visit) -> list[tuple[Step, bool]]:
    """Returns the steps whose facts the developer may see, and whether each is done."""
    visible = [(step, fact) for step, fact in STEPS if visit.may(step.needs)]
    done = await asyncio.gather(*(fact(visit) for _, fact in visible))
    return [(step, is_done) for (step, _), is_done in zip(visible, done, strict=True)]


def steps_of(facts: list[tuple[Step, bool]]) -> list[StepState]:
    """Returns the steps with the next one marked."""
    following = next((step for step, done in facts if not done), None)
    return [StepState(step, done, step is following) for step, done in facts]
