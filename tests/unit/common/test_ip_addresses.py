"""The filter by network address accepts every spelling of an address."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from common.contracts.audit_log import AuditFilter, ListAudit


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_an_address_has_one_form_in_the_filter(typed: str, kept: str) -> None:
    """The filter uses the form that events have."""
    assert ListAudit(ip_address=typed).ip_address == kept


@pytest.mark.parametrize("typed", ["", "ada", "192.0.2.300", "192.0.2.0/24", "2001:db8::g"])
def test_what_is_no_address_is_named(typed: str) -> None:
    """An invalid address is an error, because an empty list would look like an answer."""
    with pytest.raises(ValidationError) as refused:
        AuditFilter(ip_address=typed)

    assert [error["loc"] for error in refused.value.errors()] == [("ip_address",)]
