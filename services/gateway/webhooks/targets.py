"""Which addresses a webhook may be sent to. Pure; looking names up is an adapter's affair.

Only public addresses, so that nobody reaches this machine's neighbours through us. Networks that
the operator allows are excepted, and only there may it be http.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MAX_URL_CHARACTERS = 2000
_NAT64 = ip_network("64:ff9b::/96")
_NEVER = tuple(
    map(ip_network, ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4"))
)


class TargetRefused(ValueError):
    """The target may not be sent to; the message says why, for its owner."""


def shape_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a webhook's URL. Raises TargetRefused for what is no such URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as broken:
        raise TargetRefused("This is not a URL.") from broken
    if parts.scheme not in ("http", "https") or not host:
        raise TargetRefused("A webhook needs a URL that begins with https://.")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("A webhook's URL must not carry a user name or password.")
    if (
        parts.fragment
        or len(url) > MAX_URL_CHARACTERS
        or not url.isascii()
        or not url.isprintable()
    ):
        raise TargetRefused("The URL is too long, or has characters that do not belong there.")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


def real_address(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it only wraps one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """True for an address of the public internet that one host answers on."""
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NEVER if network.version == address.version)
    )


def checked(scheme: str, addresses: Sequence[str], allowed: Sequence[Network]) -> str:
    """The address to connect to. Raises TargetRefused when any of them may not be sent to."""
    if not addresses:
        raise TargetRefused("The host name leads nowhere.")
    for text in addresses:
        # A scope such as %eth0 names a link of this machine; such addresses are refused below.
        address = real_address(ip_address(text.partition("%")[0]))
        if any(address in n for n in allowed if n.version == address.version):
            continue
        if not is_public(address):
            raise TargetRefused("The host is on a private network, or on this machine.")
        if scheme != "https":
            raise TargetRefused("A webhook needs https://.")
    return addresses[0]
