"""Claims: by scope, by name, by mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.rights import Rights
from oidc import claims
from oidc.claims import ClaimSources
from oidc.queries.user_profiles import UserProfile

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(UserProfile.__dataclass_fields__)


def profile(**told: Any) -> UserProfile:
    base = NOTHING | {
        "id": "u1",
        "email_verified": False,
        "phone_number_verified": False,
        "public_metadata": {},
        "user_metadata": {},
        "created_at": AT,
        "updated_at": AT,
    }
    return UserProfile(**base | told)


def test_what_the_user_has_not_told_is_left_out() -> None:
    """There are no nulls and no empty texts. `email_verified` comes only with an address."""
    assert claims.for_scopes(profile(), ["openid", "email", "phone", "address"]) == {}
    assert claims.for_scopes(profile(email="a@b.test"), ["email"]) == {
        "email": "a@b.test",
        "email_verified": False,
    }
    assert claims.for_scopes(profile(address={}, phone_number=""), ["address", "phone"]) == {
        "phone_number_verified": False
    }


def test_updated_at_is_a_number() -> None:
    """OpenID Connect Core 5.1."""
    assert claims.for_scopes(profile(), ["profile"]) == {"updated_at": int(AT.timestamp())}


def test_a_mapping_reaches_records_and_json_only() -> None:
    """Missing values are left out, and nothing is evaluated."""
    stored = profile(public_metadata={"a": {"b": 1}}, user_metadata={"r": ["owner"]})
    facts = ClaimSources(stored, None, Rights(roles=["admin"]))
    mapping = {
        "deep": "user.public_metadata.a.b",
        "groups": "rights.roles",
        "roles": "user.user_metadata.r",
        "none": "org.slug",
        "beyond": "user.public_metadata.a.b.c",
        "made": "user.created_at",
        "inside": {"from": "user.id", "in": ["userinfo"]},
        "sub": "user.email",
    }
    found = claims.from_mapping(mapping, "id_token", facts)

    assert found == {"deep": 1, "groups": ["admin"], "made": int(AT.timestamp())}
    assert claims.from_mapping(mapping, "userinfo", facts)["inside"] == "u1"


def test_mapped_claims_have_bounded_room() -> None:
    """With the largest metadata in every claim of the longest mapping, the claims that fit are
    there, in order."""
    stored = profile(public_metadata={"big": "x" * 5_000, "small": "y"})
    mapping = {f"big{n}": "user.public_metadata" for n in range(claims.MAX_MAPPINGS - 1)}
    found = claims.from_mapping(mapping | {"small": "user.public_metadata.small"}, "id_token",
                          ClaimSources(stored, None, Rights()))  # fmt: skip

    assert list(found) == ["big0", "small"]


@pytest.mark.parametrize(
    "path",
    [
        "user.__class__",
        "user.__dict__.x",
        "rights.__init__.__globals__",
        "user",
        "other.x",
        "",
        "{{7*7}}",
    ],
)
def test_no_path_leads_out_of_the_records(path: str) -> None:
    """Such a path is refused, and would not be followed if it were stored."""
    facts = ClaimSources(profile(), None, Rights())

    assert claims.mapping_mistake("x", path)
    assert claims.from_mapping({"x": path}, "id_token", facts) == {}


@given(st.text(max_size=60))
def test_any_text_as_a_path_is_harmless(path: str) -> None:
    """It gives a claim or nothing, never an error."""
    claims.from_mapping({"x": path}, "id_token", ClaimSources(profile(), None, Rights()))
    claims.mapping_mistake("x", path)


@pytest.mark.parametrize("parameter", [None, {}, {"id_token": None}, {"id_token": ["name"]}])
def test_a_claims_parameter_without_names_asks_for_nothing(parameter: Any) -> None:
    """OpenID Connect Core section 5.5."""
    assert claims.requested(parameter, "id_token") == []
