"""Which addresses may be connected to. A name is resolved once, and what was checked is what is connected to: so a name that
resolves to something else a moment later (DNS rebinding) gains nothing."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import Final

from modelyard_platform.errors import ForbiddenError, InvalidError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_MOST: Final = 4


def checked_addresses(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The addresses of `host`, to be connected to as they are. `allowed` names hosts (`host` or `host:port`) that may be private.

    Raises ForbiddenError when one of them is not public, InvalidError when there are none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidError(f"there is no host {host!r}", code="external_unknown_host") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:_MOST]
    if host.lower() in allowed or f"{host.lower()}:{port}" in allowed:
        return addresses
    for address in addresses:
        if not is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise ForbiddenError(
                f"{host!r} is {address}, an address of this machine or a private network; such hosts are read only when the "
                f"setting EXTERNAL_HOSTS names them",
                code="external_forbidden",
            )
    return addresses


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also when it is wrapped (IPv4-mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        tunnelled = (address.sixtofour, *(address.teredo or ()))
        if not all(is_public(inner) for inner in tunnelled if inner is not None):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified
