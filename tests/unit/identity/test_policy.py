"""Which passwords and addresses are accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.matching import (
    L33T_TABLE,
    RANKED_DICTIONARIES,
    enumerate_l33t_subs,
    relevant_l33t_subtable,
)

from common.contracts.app_settings import AppSettings
from common.contracts.sign_up import SignUpClosed
from common.problems import Invalid
from identity import email_rules
from identity.mail_rendering import harmless
from identity.password_policy import COMMON, first_faults, known_words
from identity.password_score import BUDGET, affordable, score

TOLD = ["blue shop", "blueshop", "ada.lovelace"]


@given(st.text(min_size=8, max_size=60))
def test_no_composition_rules(password: str) -> None:
    """Any characters are accepted. Only length, lists and words about the user count."""
    faults = first_faults(password, 8, TOLD)
    known = password.lower() in COMMON or password.lower().strip("0123456789!?.*-_ ") in TOLD

    assert bool(faults) == known


def test_length() -> None:
    """The application sets the least length. 64 characters are always accepted, and 256 bytes are
    the maximum."""
    assert first_faults("xkcdq7 ", 8, []) != []
    assert first_faults("xkcdq7 z", 8, []) == []
    assert first_faults("xkcdq7 z", 15, []) != []
    assert first_faults("ab cd ef " * 7, 8, []) == []
    assert first_faults("é" * 128, 8, []) == []
    assert first_faults("é" * 129, 8, []) != []


@pytest.mark.parametrize(
    "password", ["password", "PASSWORD", "iloveyou", "Blue Shop", "blueshop2024!", "ada.lovelace"]
)
def test_common_and_told_passwords_are_refused(password: str) -> None:
    """Common passwords, the application's name and the local part of the address are refused."""
    assert first_faults(password, 8, TOLD)


def test_common_list_is_long_enough() -> None:
    """The list has at least the 3,000 most common passwords."""
    assert len(COMMON) >= 3000


def test_what_is_told_leaves_short_words_out() -> None:
    """A name of three letters inside a password is ignored."""
    from common.contracts.tenants import Tenant
    from common.ids import new_id

    app = Tenant(app_id=new_id(), slug="app", name="App", state="active", host="h", hosts=[],
                 origin="https://h")  # fmt: skip
    assert known_words(app, "bob@x.example.com", "Al") == ["bob@x.example.com"]


@pytest.mark.parametrize(
    ("email", "settings", "problem"),
    [
        ("a@example.com", {}, None),
        ("a@example.com", {"signup_mode": "invite_only"}, SignUpClosed),
        ("a@example.com", {"blocked_email_domains": ["example.com"]}, Invalid),
        ("a@EU.Example.COM", {"blocked_email_domains": ["example.com"]}, Invalid),
        ("a@notexample.com", {"blocked_email_domains": ["example.com"]}, None),
        ("a@example.com.evil.org", {"blocked_email_domains": ["example.com"]}, None),
        (
            "a@example.com.evil.org",
            {"signup_mode": "restricted", "allowed_email_domains": ["example.com"]},
            Invalid,
        ),
        (
            "a@bücher.example",
            {"signup_mode": "restricted", "allowed_email_domains": ["xn--bcher-kva.example"]},
            None,
        ),
        ("a@mailinator.com", {}, None),
        ("a@x.mailinator.com", {"block_disposable_email": True}, Invalid),
    ],
)
def test_addresses(email: str, settings: dict[str, object], problem: type | None) -> None:
    """Domains match whole labels, upper and lower case alike, in A-labels."""
    if problem is None:
        email_rules.allow(AppSettings(**settings), email)
    else:
        with pytest.raises(problem):
            email_rules.allow(AppSettings(**settings), email)


@pytest.mark.parametrize("name", ["Ada", "Zoë O'Neil-Smith", "李小龍", "Dr. Grace Hopper"])
def test_names_that_are_names(name: str) -> None:
    """A real name is used in the greeting."""
    assert harmless(name) == name


@pytest.mark.parametrize(
    "name", ["http://x", "evil.com", "call 0800 1234", "a@b", "{{x}}", "<b>", "x" * 61, "www x"]
)
def test_names_that_are_advertisements(name: str) -> None:
    """A name that could be a link, a number or markup is not used in the greeting."""
    assert harmless(name) == ""


SYMBOLS = "4@8({[<69&#!1/|7+5$%30x2z"
"""A text with hundreds of readings as letters."""


@pytest.mark.parametrize(
    "password",
    ["", SYMBOLS * 3, "1!|i7+" * 12, "a" * 13 + SYMBOLS * 3, "a" * 400, "\x00", "İ" * 80],
)
def test_the_cost_of_a_score_is_bounded(password: str) -> None:
    """Every text has a score. The number of readings times parts is limited."""
    scored = affordable(password)
    readings = enumerate_l33t_subs(relevant_l33t_subtable(scored, L33T_TABLE))

    assert len(readings) * len(scored) ** 2 <= BUDGET
    assert password.startswith(scored)
    assert len(scored) >= min(len(password), 12)
    assert 0 <= score(password, TOLD) <= 4


def test_known_words_count_in_one_password_only() -> None:
    """Words about one user do not affect another user's password, in any thread."""
    assert score("zyxomma-quandary", ["zyxomma-quandary"]) == 0
    assert "user_inputs" not in RANKED_DICTIONARIES
    assert score("zyxomma-quandary", []) == 4
