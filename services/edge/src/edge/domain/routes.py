"""The table of routes: endpoints as serving wrote them, replicas as they announced themselves.

Entries come from other processes by way of a bucket. One that cannot be used is refused with a reason and leaves the
others as they are: nothing in the bucket may keep the edge from serving what is right in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
Name = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
KeyHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST_NAME: Final = re.compile(rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*$")


class RefusedEntryError(ValueError):
    """An entry of the bucket that cannot be used; the text says why."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer serving may say more


class Endpoint(_Frozen):
    """An endpoint: its traffic in percent by deployment, the sha256 of its keys, and its bounds (bytes,
    milliseconds). `generations` says which generation of each deployment is live; without it all of them are."""

    name: Name
    traffic: dict[Name, Annotated[float, Field(ge=0, le=100)]]
    keys: tuple[KeyHash, ...]
    deployments: tuple[Name, ...]
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    timeout_ms: int = Field(default=5_000, ge=1)
    revision: int = 0
    generations: dict[Name, int] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = sorted(set(self.traffic) - set(self.deployments))
        if unknown:
            raise ValueError(f"traffic for deployments the endpoint does not have: {unknown}")
        total = sum(self.traffic.values())
        if total and abs(total - 100) > 0.01:
            raise ValueError(f"traffic adds up to {total:g}, not 0 or 100")
        return self


class Replica(_Frozen):
    """Where one replica listens."""

    host: str
    port: int = Field(ge=1, le=65535)
    generation: int = 0
    pid: int = 0

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        try:
            return str(ip_address(value))
        except ValueError:
            if _HOST_NAME.match(value):
                return value
            raise ValueError("neither an address nor a host name") from None


@dataclass(slots=True)
class RouteTable:
    """The endpoints by name and the replicas by (endpoint, deployment, replica id).

    Keys are those of the bucket `routes`.
    """

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    replicas: dict[tuple[str, str, str], Replica] = field(default_factory=dict)

    def put(self, key: str, value: bytes) -> None:
        """Takes over an entry of the bucket. Raises RefusedEntryError and changes nothing when it cannot be used."""
        try:
            match key.split("."):
                case ["endpoint", name]:
                    endpoint = Endpoint.model_validate_json(value)
                    if endpoint.name != name:
                        raise RefusedEntryError(f"{key} is the entry of {endpoint.name!r}")
                    self.endpoints[name] = endpoint
                case ["replica", endpoint_name, deployment, replica] if all(
                    re.fullmatch(_NAME, part) for part in (endpoint_name, deployment, replica)
                ):
                    self.replicas[endpoint_name, deployment, replica] = Replica.model_validate_json(value)
                case _:
                    raise RefusedEntryError(
                        f"{key} is neither endpoint.<name> nor replica.<endpoint>.<deployment>.<id>"
                    )
        except ValidationError as error:
            first = error.errors()[0]
            raise RefusedEntryError(f"{key}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    def remove(self, key: str) -> None:
        """Forgets an entry; one that is not there is no error."""
        match key.split("."):
            case ["endpoint", name]:
                self.endpoints.pop(name, None)
            case ["replica", endpoint, deployment, replica]:
                self.replicas.pop((endpoint, deployment, replica), None)

    def keys(self) -> set[str]:
        """The bucket keys of what is in the table."""
        return {f"endpoint.{name}" for name in self.endpoints} | {
            "replica." + ".".join(parts) for parts in self.replicas
        }

    def of(self, endpoint: str, deployment: str) -> list[tuple[str, Replica]]:
        """A deployment's live replicas by id, in a stable order.

        A replica of a newer generation announces itself before serving has found it good: it takes no requests until then.
        """
        live = self.endpoints[endpoint].generations if endpoint in self.endpoints else None
        return sorted(
            (key[2], replica)
            for key, replica in self.replicas.items()
            if key[:2] == (endpoint, deployment) and (live is None or replica.generation == live.get(deployment))
        )

    def dump(self) -> dict[str, Any]:
        """The table as JSON takes it: `{bucket key: entry}`."""
        entries: dict[str, Any] = {
            f"endpoint.{name}": endpoint.model_dump(mode="json") for name, endpoint in self.endpoints.items()
        }
        return entries | {
            "replica." + ".".join(parts): replica.model_dump(mode="json") for parts, replica in self.replicas.items()
        }


def shares(endpoint: Endpoint) -> list[tuple[str, int]]:
    """The deployments with traffic, each with its share of 10,000, in name order; the shares add up to 10,000 exactly.

    What rounding leaves over goes to the deployment with most traffic.
    """
    taking = [
        (name, round(percent * 100)) for name, percent in sorted(endpoint.traffic.items()) if round(percent * 100) > 0
    ]
    if not taking:
        return []
    rest = 10_000 - sum(share for _, share in taking)
    largest = max(taking, key=lambda entry: entry[1])[0]
    return [(name, share + rest if name == largest else share) for name, share in taking]


def parse(entries: Mapping[str, Any], dumps: Any) -> tuple[RouteTable, list[str]]:
    """The table from `dump`'s form, and what had to be refused. `dumps` writes a JSON value as bytes."""
    table = RouteTable()
    refused: list[str] = []
    for key, entry in entries.items():
        try:
            table.put(key, dumps(entry))
        except RefusedEntryError as error:
            refused.append(str(error))
    return table, refused


def deployments(endpoint: Endpoint) -> Iterable[str]:
    """Every deployment of the endpoint, once, in name order."""
    return sorted(set(endpoint.deployments))
