"""No request ends in an internal error, whether its contract's type allows it or not."""

from __future__ import annotations

import json
import os
import random
from typing import Any, Final

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.architecture.source import contracts
from tests.isolation.cases import askers, case
from tests.isolation.sides import Sides
from tests.isolation.test_every_contract import in_dashboard

from common.answering import answer
from common.bus import subject_of
from common.context import Context
from common.contracts.base import Request
from common.ids import DASHBOARD
from common.problems import Problem
from common.testing import context

CONTRACTS: Final = contracts()
ENDS: Final = ("delete", "revoke", "remove", "end", "sign_out", "leave", "disable", "unassign")
"""Contracts that end or delete an object. They run last, because other contracts need the object.
"""
EXAMPLES: Final = int(os.environ.get("AERO2_TEST_ODD_REQUESTS", "4"))
"""The number of requests for each contract and caller."""
ODD: Final[list[Any]] = [
    None, "", " ", "\x00", "a\x00b", "\u202e", "İ", "ß", "ΑΣ", "😀" * 40, "x" * 300, "x" * 5000,
    "%", "_", "\\", "'", "{{ 7*7 }}", "=1+1", "a@b", "٣", "²", "-1", "1e400", "NaN", "\r\n", "*",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "1970-01-01T00:00:00",
    "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "http://[", "https://x\x7f", "//", "::1", "::ffff:1.2.3.4", "e30", "eyJ9.e30.", "ö@ö.example",
    -1, 0, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, 1e308, True, False,
    [], {}, [None], [[]], [""], {"": ""}, {"a": None}, [{}],
]  # fmt: skip


async def test_odd_requests_are_refused_or_answered(changing_sides: Sides) -> None:
    """Callers with the most rights send valid and invalid requests to each contract."""
    faults: list[str] = []
    answered: set[str] = set()
    for subject in sorted(CONTRACTS, key=lambda name: (name.endswith(ENDS), name)):
        contract = CONTRACTS[subject]
        for body in bodies(contract, changing_sides):
            for ctx in callers(contract, changing_sides):
                try:
                    await send(changing_sides, contract, ctx, body)
                    answered.add(subject)
                except Exception as error:
                    if not isinstance(error, Problem) or error.code == Problem.code:
                        faults.append(f"{subject} {body[:500]!r}: {error!r}")

    assert not faults, "\n".join(faults)
    assert len(answered) > 0.7 * len(CONTRACTS), sorted(set(CONTRACTS) - answered)


def callers(contract: type[Request[Any]], sides: Sides) -> list[Context]:
    if in_dashboard(contract):
        return [context(DASHBOARD, sides.home.developer, within=20, ip="203.0.113.5")]
    return [sides.ctx(sides.home, who) for who in askers(contract, sides.home)]


async def send(sides: Sides, contract: type[Request[Any]], ctx: Context, body: bytes) -> None:
    """Calls the contract as the bus does. Raises the problem that the caller sees, or the exception
    of the service."""
    handler, deps = sides.bus.handlers[contract]
    await answer(handler, deps, contract, ctx, data=body, subject=subject_of(ctx, contract))


def bodies(contract: type[Request[Any]], sides: Sides) -> list[bytes]:
    """Returns a valid request, and requests in which some fields are odd. Each run returns the same
    ones."""
    good = orjson.loads(case(contract, sides.home).request.model_dump_json(exclude_unset=True))
    schema = contract.model_json_schema()
    found = [orjson.dumps(good)]
    if not schema.get("properties"):
        return found

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(changed=some_fields(schema), noise=st.randoms(use_true_random=False))
    def collect(changed: dict[str, Any], noise: random.Random) -> None:
        found.append(as_json({**good, **changed}))
        found.append(as_json(with_an_odd_leaf({**good, **changed}, noise)))

    collect()
    return found


def some_fields(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        name: values(field, schema.get("$defs", {})) for name, field in schema["properties"].items()
    }
    return st.fixed_dictionaries({}, optional=fields)


def values(schema: dict[str, Any], types: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Returns a strategy for the values that a JSON schema of pydantic allows."""
    if "$ref" in schema:
        return values(types[schema["$ref"].rpartition("/")[2]], types)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema or "oneOf" in schema:
        options = schema.get("anyOf") or schema["oneOf"]
        return st.one_of([values(option, types) for option in options])
    match schema.get("type"):
        case "string":
            return texts(schema)
        case "integer" | "number":
            least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
            return st.integers(least, most) | st.sampled_from([least, most])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            items = [values(item, types) for item in schema.get("prefixItems", [])]
            if items:
                return st.tuples(*items).map(list)
            most = min(schema.get("maxItems", 3), 3)
            return st.lists(values(schema.get("items", {}), types), max_size=most)
        case "object" if "properties" in schema:
            fields = {name: values(field, types) for name, field in schema["properties"].items()}
            needed = {name: fields.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(needed, optional=fields)
        case "object":
            inner = schema.get("additionalProperties")
            inside = values(inner if isinstance(inner, dict) else {}, types)
            return st.dictionaries(st.text(max_size=5), inside, max_size=3)
    return st.sampled_from(ODD)


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
    if schema.get("format") == "binary":
        return st.binary(max_size=50).map(lambda raw: raw.decode("latin-1"))
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    odd = [one for one in ODD if isinstance(one, str) and least <= len(one) <= most]
    alphabet = st.characters(exclude_categories=["Cs"])
    text = st.text(alphabet, min_size=least, max_size=min(most, max(least, 60)))
    return st.one_of(text, st.sampled_from([*odd, "x" * most]))


def with_an_odd_leaf(value: Any, noise: random.Random) -> Any:
    """Returns the value with an odd value at one place."""
    if isinstance(value, dict) and value and noise.random() < 0.9:
        name = noise.choice(sorted(value))
        return {**value, name: with_an_odd_leaf(value[name], noise)}
    if isinstance(value, list) and value and noise.random() < 0.7:
        at = noise.randrange(len(value))
        return [*value[:at], with_an_odd_leaf(value[at], noise), *value[at + 1 :]]
    return noise.choice(ODD)


def as_json(value: Any) -> bytes:
    """Encodes numbers beyond 64 bits too, which orjson refuses."""
    return json.dumps(value, ensure_ascii=True).encode("utf-8", "surrogatepass")
