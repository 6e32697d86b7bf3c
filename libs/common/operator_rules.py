"""Operators: users of the Dashboard who manage the whole deployment.

They need a second factor, unless AERO2_OPERATOR_MFA says otherwise. An operator who has not shown one in
the session can do what a developer can: create teams and applications, and enrol a factor.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from common import acr

OperatorMfa = Literal["required", "optional"]
OPERATOR_MFA: Final = (
    "Whether operators of the Dashboard must have a second factor (`required`) or may do without "
    "(`optional`, for trials)."
)
"""The description of AERO2_OPERATOR_MFA, which two services read."""
OPERATES: Final = "platform:manage"
"""The permission that makes a user of the Dashboard an operator."""
ROLE: Final = "operator"
"""The role of the Dashboard that holds every permission. It has at least one enabled user."""
LOCK: Final = 0x6F70657261746F72
"""The key of the advisory lock around changes that can end the last operator: `operator` in ASCII."""
OF_EVERY_DEVELOPER: Final = frozenset(
    {
        *("apps:create", "apps:read", "apps:write", "apps:delete", "apps:transfer"),
        *("teams:read", "teams:write", "profile:read", "profile:write", "users:read"),
    }
)
"""The permissions of the Dashboard's role `developer`. More have a meaning for operators only."""


def without_factor(
    permissions: Collection[str], classes: Collection[str], setting: OperatorMfa
) -> bool:
    """Returns whether somebody with these permissions in the Dashboard is an operator who has not
    shown the second factor that they need. `classes` are those of their sign-in."""
    return setting == "required" and OPERATES in permissions and acr.TWO_FACTORS not in classes
