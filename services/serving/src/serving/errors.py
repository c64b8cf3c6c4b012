"""Serving's errors."""

from __future__ import annotations

from collections.abc import Iterable

from modelyard_platform.errors import ConflictError, InvalidError, NotFoundError, PreconditionError


class EndpointNotFoundError(NotFoundError):
    """Names the endpoint and those that exist."""

    code = "endpoint_not_found"

    def __init__(self, name: str, exists: Iterable[str]) -> None:
        there = sorted(exists)
        hint = f"endpoints that exist: {', '.join(there)}" if there else "there are no endpoints yet"
        super().__init__(f"there is no endpoint {name!r}; {hint}", exists=there)


class DeploymentNotFoundError(NotFoundError):
    """Names the deployment and those that the endpoint has."""

    code = "deployment_not_found"

    def __init__(self, endpoint: str, name: str, exists: Iterable[str]) -> None:
        there = sorted(exists)
        hint = f"it has {', '.join(there)}" if there else "it has no deployments yet"
        super().__init__(f"endpoint {endpoint!r} has no deployment {name!r}; {hint}", exists=there)


class NameTakenError(ConflictError):
    """Endpoint names are addresses: one for the whole installation."""

    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"the endpoint name {name!r} is taken in another workspace; choose another", path="name")


class BeingDeletedError(ConflictError):
    """What is on its way out takes no changes."""

    code = "being_deleted"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is being deleted; wait until it is gone, then create it again")


class FieldInvalidError(InvalidError):
    """A spec that is well-formed and cannot be deployed: which key, and what would be right."""

    code = "spec_invalid"

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}", path=path)


class TrafficInvalidError(InvalidError):
    """A split that is none."""

    code = "traffic_invalid"

    def __init__(self, detail: str, path: str = "traffic") -> None:
        super().__init__(detail, path=path)


class NotReadyError(PreconditionError):
    """Traffic was asked for a deployment that cannot answer."""

    code = "deployment_not_ready"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(
            f"deployment {name!r} is {state}; only a deployment that has become ready gets traffic",
            path=f"traffic.{name}",
            deployment=name,
        )


class HasTrafficError(PreconditionError):
    """Deleting it would fail requests."""

    code = "deployment_has_traffic"

    def __init__(self, endpoint: str, name: str, percent: int) -> None:
        super().__init__(
            f"deployment {name!r} of {endpoint!r} gets {percent} % of the traffic; give its share to another one (or set it to 0) first"
        )


class ModelNotServableError(PreconditionError):
    """The model version has no form that a replica can run."""

    code = "model_not_servable"

    def __init__(self, model: str, why: str) -> None:
        super().__init__(
            f"model {model} cannot be served as it is: {why}; "
            "register it as .onnx, or give code_configuration (code, scoring_script) and environment",
            path="model",
        )
