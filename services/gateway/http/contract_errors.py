"""Values of a request that do not fit the contract they are for."""

from __future__ import annotations

from pydantic import ValidationError

from common.contracts.base import CONTRACTS
from common.field_errors import field_errors
from common.problems import Invalid


def problem_of(error: ValidationError) -> Invalid:
    """Returns the problem that names the fields. Raises the error again if it is not about a contract's
    request: then the fault is the deployment's."""
    if error.title not in {contract.__name__ for contract in CONTRACTS.values()}:
        raise error
    return Invalid(errors=field_errors(list(error.errors(include_url=False, include_input=False))))
