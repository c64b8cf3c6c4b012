"""Who calls a service that is under test."""

from typing import Final

from modelyard_platform import identity
from modelyard_platform.cause import Identity, Role

KEY: Final = "test-key-of-at-least-thirty-two-bytes"
"""What identities are signed with in tests."""


def bearer(
    role: Role = "owner", actor: str = "user:ada", *, workspace: str = "default", key: str = KEY
) -> dict[str, str]:
    """The header of somebody with a role."""
    who = Identity(actor=actor, role=role, workspace=workspace)
    return {"Authorization": f"Bearer {identity.sign(key, who, issuer='test')}"}
