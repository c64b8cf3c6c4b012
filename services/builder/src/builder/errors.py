"""The builder's errors."""

from __future__ import annotations

from modelyard_platform.errors import InvalidError, NotFoundError, PlatformError


class EnvironmentInvalidError(InvalidError):
    """The specification is not one that an environment can be made from. `path` says where."""

    code = "environment_invalid"


class EnvironmentUnresolvableError(InvalidError):
    """The resolver found no set of packages that fits; its own words are the detail."""

    code = "environment_unresolvable"


class LockNotFoundError(NotFoundError):
    """No lock has this digest."""

    code = "environment_lock_not_found"

    def __init__(self, digest: str) -> None:
        super().__init__(f"there is no environment lock {digest!r}; POST a specification to make one")


class ConversionFailedError(PlatformError):
    """The model has no certified ONNX form, and why."""

    code = "conversion_failed"
