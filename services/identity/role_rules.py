"""The roles that the rules of a provider name: whether they exist when the rules are written.

A role that is deleted later is harmless: its rule then gives nothing.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.identity_providers import ProviderFields
from common.contracts.roles import GetRole, Kind, RoleNotFound
from common.field_errors import field_error
from common.problems import Invalid
from identity.deps import Deps


async def check_roles(deps: Deps, ctx: Context, fields: ProviderFields) -> None:
    """Checks that every role of the rules exists: roles of organizations for an organization's provider,
    else roles of the application. Call it before the transaction. Raises Invalid, which names each
    unknown role."""
    kind: Kind = "organization" if fields.org_id else "application"
    unknown = set()
    for role_id in dict.fromkeys(rule.role_id for rule in fields.role_mapping):
        try:
            await deps.bus.call(ctx.as_system(), GetRole(role_id=role_id, kind=kind))
        except RoleNotFound:
            unknown.add(role_id)
    if unknown:
        raise Invalid(
            errors=[
                field_error(f"role_mapping.{number}.role_id", "role_unknown", role=rule.role_id)
                for number, rule in enumerate(fields.role_mapping)
                if rule.role_id in unknown
            ]
        )
