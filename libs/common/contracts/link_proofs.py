"""Proofs: an account at a provider that waits until its user has proven an address or an account here.

A proof is valid for 15 minutes, in one browser, and for one account at one provider.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Contract, Id, Request
from common.contracts.fields import Email
from common.contracts.provider_sign_in import Browser, ProviderOutcome
from common.contracts.sign_in import Attempt, Flow, SignInAttempt
from common.problems import Gone


class LinkProofSpent(Gone):
    """The proof was used or has expired, or it belongs to another browser."""

    code, title = "link_proof_spent", "This sign-in has ended or has expired. Start again."


class LinkProof(Contract):
    """The thing that the user has to prove: an `address`, or an existing `account`. `by_mail`: a code in a mail
    to `email` proves it."""

    kind: Literal["address", "account"]
    idp: str
    provider: str = Field(description="The name of the provider that people see.")
    username: str | None = None
    email: str | None = None
    by_mail: bool = True
    destination: str


class GetLinkProof(Request[LinkProof], subject="identity.link_proof.get", needs=OPEN, safe=True):
    """Returns what a proof waits for. Raises LinkProofSpent."""

    link_proof: str = Field(max_length=200, repr=False)
    browser: Browser = Field(repr=False)


class SendLinkProofCode(
    Attempt, Request[Flow], subject="identity.link_proof.send_code", needs=OPEN, within=5.0
):
    """Mails a code to the address that the user proves. The answer is the same whether the address
    has an account. Raises LinkProofSpent, Invalid, SignUpClosed, CaptchaFailed, RateLimited,
    MailsSent."""

    link_proof: str = Field(max_length=200, repr=False)
    email: Email


class FinishLinkProof(
    SignInAttempt,
    Request[ProviderOutcome],
    subject="identity.link_proof.finish",
    needs=OPEN,
    within=5.0,
):
    """Signs in by the mailed code, and connects the provider's account to the account of the
    address. Creates that account if there is none. Raises WrongCode, CodeSpent, LinkProofSpent,
    RateLimited."""

    link_proof: str = Field(max_length=200, repr=False)
    flow: Id
    code: str = Field(max_length=50, repr=False)


class ConnectProvenAccount(
    Request[ProviderOutcome], subject="identity.link_proof.connect", needs=SIGNED_IN, within=5.0
):
    """Connects the provider's account to the calling user, who has signed in to the existing account
    in another way since the proof began. Raises LinkProofSpent."""

    link_proof: str = Field(max_length=200, repr=False)
    browser: Browser = Field(repr=False)
